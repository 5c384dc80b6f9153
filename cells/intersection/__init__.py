"""Cells with an output beside the state, each gated."""
