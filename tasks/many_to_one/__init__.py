"""The `many-to-one` template: from a sequence to a class, labels or a value."""
