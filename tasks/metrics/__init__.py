"""Metrics for classes, numbers, sequences, entities and forecasts."""
