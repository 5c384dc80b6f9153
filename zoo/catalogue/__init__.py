"""What `list` and `show` print: facts about templates, presets, cells and data sets."""
