"""The template many-to-many-encoder-decoder: a sequence to a text of any length."""
