"""Inference with trained runs: predictions, generated text, scores and exported models."""
