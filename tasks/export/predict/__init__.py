"""The parts of predict.py, in plain Python: the standard library and NumPy only."""
