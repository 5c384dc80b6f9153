"""Training that starts from a trained model: other data, other labels, another template."""
