"""The commands of `seqzoo`; `cli.py` parses arguments, calls these and prints."""
