"""Code shared by the templates that generate texts from an encoded input."""
