"""The template many-to-many-aligned: an output at each time step."""
