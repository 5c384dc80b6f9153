"""Convolutional cells, for frames of shape (batch, time, height, width, channels)."""
