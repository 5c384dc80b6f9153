"""The range of audio samples."""

import numpy as np

LOUDEST = 4.0
"""Largest sample of audio as floats; a few samples may exceed 1."""


def range_fault(*waves: np.ndarray) -> str:
    """Why the samples of waveforms, floats, are not accepted, as the end of a sentence; empty if
    they are. Those of 16-bit audio are often left unscaled."""
    largest = max((float(np.abs(wave).max(initial=0)) for wave in waves), default=0.0)
    return "" if largest <= LOUDEST else f"must contain samples between -1 and 1, got {largest:g}"
