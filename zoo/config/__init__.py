"""The TOML configuration file: schema, reader and writer."""
