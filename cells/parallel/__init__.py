"""Recurrences whose gates depend on the input alone, and their relatives."""
