"""Inference with trained models: predictions, generated text, scores and exported models."""
