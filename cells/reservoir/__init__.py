"""Recurrences that are not trained; only a readout of their states is."""
