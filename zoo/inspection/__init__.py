"""Looks inside trained models, by the folder of a run or the name of a preset."""
