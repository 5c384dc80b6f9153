"""Recurrent sequence models for Keras 3: cells, task templates, presets and one command."""

from seqzoo.saving import register

register()
