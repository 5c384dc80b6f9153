"""Cells whose output is separate from the state, each with a gate."""
