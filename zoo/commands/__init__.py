"""What the commands of the command line do; `cli.py` parses, calls these and prints."""
