"""Compares cells at equal parameter counts."""
