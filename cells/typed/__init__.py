"""Strongly-typed cells: linear in the state, gated by the inputs."""
