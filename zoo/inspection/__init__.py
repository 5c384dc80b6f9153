"""Explains predictions on the command line, and prepares the inputs of inspections."""
