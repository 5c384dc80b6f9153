"""Training that starts from a trained model, on other data, for other labels or templates."""
