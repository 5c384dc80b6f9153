"""Comparing cells at equal parameter count."""
