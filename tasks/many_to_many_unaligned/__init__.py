"""The template many-to-many-unaligned: from a sequence to a shorter text in its order (CTC)."""
