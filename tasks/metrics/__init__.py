"""Metrics of classes, numbers, sequences, entities and forecasts."""
