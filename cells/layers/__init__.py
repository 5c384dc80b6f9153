"""The Keras layers that run cells."""
