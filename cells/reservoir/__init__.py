"""Untrained recurrences: only a readout of their states is trained."""
