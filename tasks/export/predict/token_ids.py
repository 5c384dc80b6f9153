"""Ids that every vocabulary has."""

PADDING, UNKNOWN, SPECIAL = 0, 1, 2
"""Ids of no token, of a token outside the vocabulary, and of the vocabulary's first token."""
