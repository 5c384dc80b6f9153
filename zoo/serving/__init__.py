"""A server of trained models: predictions, generated text, and sessions over HTTP."""
