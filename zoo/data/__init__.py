"""Readers of files and data sets: one path from any source to `Examples`."""
