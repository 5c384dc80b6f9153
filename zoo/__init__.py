"""What is ready to use: presets, data sets and trained weights."""
