"""Trainings that start from a trained model: other data, other labels, another template."""
