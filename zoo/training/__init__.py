"""Trains presets, templates and configuration files, and summarises the result."""
