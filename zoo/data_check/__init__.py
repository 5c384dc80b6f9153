"""Checks data before training: what is wrong, what is suspicious, what to train."""
