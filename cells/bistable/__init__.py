"""Cells whose units have two stable states."""
