"""Examples as tensors: sequences of different lengths, joined, and what belongs to each."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf


class Sequences:
    """Sequences of different lengths, one after the other in one array.

    Args:
        flat: shape (all steps, ...).
        lengths: shape (n,), int32; they sum to the first axis of `flat`.
    """

    def __init__(self, flat: np.ndarray, lengths: np.ndarray):
        self.flat = flat
        self.lengths = lengths
        self.starts = np.cumsum(lengths, dtype=np.int64) - lengths

    @classmethod
    def of(cls, arrays: Iterable[np.ndarray], dtype: str = "int32") -> "Sequences":
        """Joins arrays of shape (time, ...)."""
        arrays = [np.asarray(array, dtype) for array in arrays]
        return cls(np.concatenate(arrays), np.array([len(array) for array in arrays], np.int32))

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.flat[self.starts[index] :][: self.lengths[index]]


@dataclass(frozen=True)
class Data:
    """Examples as a model takes them.

    Attributes:
        inputs: the sequences that batches are sorted by.
        targets: array of shape (n, ...), or sequences with separate lengths, or None.
        window: steps that a sequence is cut to, the state being carried from one window to the
            next; None where each is run in one piece.
    """

    inputs: Sequences
    targets: np.ndarray | Sequences | None = None
    window: int | None = None

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """All that the data consist of, by name."""
        arrays = {"flat": self.inputs.flat, "lengths": self.inputs.lengths}
        if isinstance(self.targets, Sequences):
            arrays |= {"target_flat": self.targets.flat, "target_lengths": self.targets.lengths}
        elif self.targets is not None:
            arrays["targets"] = self.targets
        return arrays

    @cached_property
    def tensors(self) -> dict[str, Any]:
        """The arrays where a `tf.data` pipeline reads them, with the sequences' starts."""
        arrays = {**self.arrays, "starts": self.inputs.starts}
        if isinstance(self.targets, Sequences):
            arrays["target_starts"] = self.targets.starts
        with tf.device("CPU:0"):
            return {name: tf.constant(array) for name, array in arrays.items()}
