"""Recurrences with at most one gate."""
