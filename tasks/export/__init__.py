"""Export of trained models, one file per format."""
