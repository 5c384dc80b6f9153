"""The template many-to-one: from a sequence to a class, labels or a value."""
