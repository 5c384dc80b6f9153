"""Converts raw inputs to the tensors that a model takes, in training and in exported graphs."""
