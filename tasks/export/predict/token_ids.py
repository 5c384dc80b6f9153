"""Ids that every vocabulary has."""

PADDING, UNKNOWN, SPECIAL = 0, 1, 2
"""Ids of padding, of tokens outside the vocabulary, and of the vocabulary's first token."""
