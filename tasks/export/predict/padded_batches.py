"""Sequences of different lengths as one array."""

from collections.abc import Sequence
from typing import Any

import numpy as np


def padded(rows: Sequence[np.ndarray], dtype: Any) -> np.ndarray:
    """Sequences (time, ...) -> a batch (batch, time, ...) of at least one step, padded with 0."""
    batch = np.zeros((len(rows), max(1, *map(len, rows)), *rows[0].shape[1:]), dtype)
    for target, row in zip(batch, rows, strict=True):
        target[: len(row)] = row
    return batch


def lengths(rows: Sequence[np.ndarray]) -> np.ndarray:
    """The number of steps of each sequence, (batch,), int32."""
    return np.array([len(row) for row in rows], np.int32)
