"""Targets: encoding for training, losses and metrics, and decoding of predictions."""
