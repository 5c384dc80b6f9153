"""Recurrences designed to keep gradients from vanishing over many steps."""
