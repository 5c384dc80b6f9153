"""The `many-to-many-unaligned` template: from a sequence to a shorter text in the same order, with
CTC."""
