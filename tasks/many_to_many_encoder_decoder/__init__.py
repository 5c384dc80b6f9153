"""The template many-to-many-encoder-decoder: from a sequence to a text of any length."""
