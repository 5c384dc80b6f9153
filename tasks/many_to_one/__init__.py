"""The template many-to-one: a sequence to a class, labels or a value."""
