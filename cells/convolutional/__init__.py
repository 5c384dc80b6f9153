"""Cells for frames, (batch, time, height, width, channels), that convolve instead of multiply."""
