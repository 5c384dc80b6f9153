"""Cells whose output and state are separate, each with its own gate."""
