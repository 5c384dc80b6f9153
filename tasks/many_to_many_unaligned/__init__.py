"""The template many-to-many-unaligned: a sequence to a shorter text in the same order (CTC)."""
