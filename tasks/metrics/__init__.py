"""Metrics of classes, sequences and entities."""
