"""Keras layers that the networks of several templates share."""
