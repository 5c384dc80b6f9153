"""Cells of frames, (batch, time, height, width, channels): convolutions in place of products."""
