"""Arrays of numbers as inputs: vectors and images, series, and images read by columns."""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqzoo.tasks.export.predict.padded_batches import lengths, padded


def checked(array: Any, dtype: Any) -> np.ndarray:
    """An input as an array; raises a ValueError if it is empty or not finite."""
    array = np.asarray(array, dtype)
    if not array.size:
        raise ValueError("an input must not be empty")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError("an input must be finite, but contains NaN or infinite values")
    return array


class ArrayReader:
    """Reads arrays of the same shape.

    Args:
        about: "input" of model.json.
    """

    files = ".npy"

    def __init__(self, about: dict[str, Any]):
        self.about = about

    def tensors(self, inputs: Sequence[Any]) -> dict[str, np.ndarray]:
        """Arrays -> one array (batch, ...) by name."""
        dtype = self.about["dtype"]
        return {self.about["name"]: np.stack([checked(array, dtype) for array in inputs])}

    def from_argument(self, argument: str) -> np.ndarray:
        """The array in a file that is named on the command line."""
        if pathlib.Path(argument).suffix != ".npy":
            raise ValueError(f"this model reads {self.files} files, got {argument!r}")
        # With mmap_mode, a file that is shorter than its header declares is refused before memory
        # is allocated.
        return np.load(argument, mmap_mode="r", allow_pickle=False)


class SeriesReader(ArrayReader):
    """Reads series, (time,) or (time, features)."""

    def tensors(self, inputs: Sequence[Any]) -> dict[str, np.ndarray]:
        """Series -> a padded batch by name, and "lengths", (batch,)."""
        rows = [checked(series, np.float32) for series in inputs]
        rows = [row[:, None] if row.ndim < self.about["axes"] else row for row in rows]
        return {self.about["name"]: padded(rows, np.float32), "lengths": lengths(rows)}


class ColumnReader(ArrayReader):
    """Reads images, (height, width[, channels]), from left to right."""

    def tensors(self, inputs: Sequence[Any]) -> dict[str, np.ndarray]:
        """Images -> "values", (batch, time, features), and "lengths", (batch,)."""
        rows = [self.steps(image) for image in inputs]
        return {"values": padded(rows, self.about["dtype"]), "lengths": lengths(rows)}

    def steps(self, image: Any) -> np.ndarray:
        """An image as steps of one or more columns."""
        about = self.about
        columns = np.moveaxis(checked(image, about["dtype"]), 1, 0)
        if columns.shape[1] != about["height"]:
            raise ValueError(
                f"images must be {about['height']} pixels high, got {columns.shape[1]}"
            )
        missing = -len(columns) % about["columns"]
        columns = np.pad(columns, [(0, missing)] + [(0, 0)] * (columns.ndim - 1))
        return columns.reshape(len(columns) // about["columns"], -1)
