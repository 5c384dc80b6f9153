"""The template one-to-many: an image, a vector or a class to a text."""
