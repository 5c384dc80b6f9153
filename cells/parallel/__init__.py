"""Recurrences whose gates depend only on the input, and their relatives."""
