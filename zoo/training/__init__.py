"""Trains presets, templates and configuration files, and tells how it went."""
