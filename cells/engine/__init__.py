"""The loops that run a cell through time, forward and backward."""
