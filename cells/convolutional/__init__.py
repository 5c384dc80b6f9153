"""Cells for frames, (batch, time, height, width, channels): convolutions replace matrix products."""
