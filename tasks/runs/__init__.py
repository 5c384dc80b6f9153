"""A trained model on disk: open, predict, evaluate, pack."""
