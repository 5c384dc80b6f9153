"""The `one-to-many` template: from an image, a vector or a class to a text."""
