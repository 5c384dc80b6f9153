"""How a cell's step is run through time, forward and back."""
