"""The output of `list` and `show`: facts about templates, presets, cells and data sets."""
