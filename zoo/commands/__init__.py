"""The commands of the command line; `cli.py` parses arguments, calls these and prints."""
