"""Recurrences made to keep gradients alive over many steps."""
