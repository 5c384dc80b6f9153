"""Explains and inspects trained models, by run folder or preset name."""
