"""How raw inputs become the tensors a model takes, in training and in the exported graph."""
