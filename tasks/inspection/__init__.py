"""Inspection of recurrent models: states, gates, gradients, and attribution of predictions."""
