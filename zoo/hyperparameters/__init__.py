"""Hyperparameter search over the options of a training run."""
