"""Export of trained models, one file a format."""
