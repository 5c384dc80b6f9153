"""Arrays of numbers as inputs: vectors and images, series, and images read by columns."""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqzoo.tasks.export.predict.padded_batches import lengths, padded


def checked(array: Any, dtype: Any) -> np.ndarray:
    """An input as an array of a dtype; raises a ValueError if it is empty or not finite, or if the
    dtype cannot represent its numbers."""
    given, dtype = np.asarray(array), np.dtype(dtype)
    if given.dtype.kind not in "biuf":
        raise ValueError(f"an input must consist of numbers, got {given.dtype}")
    if not given.size:
        raise ValueError("an input must not be empty")
    if not np.isfinite(given).all():
        raise ValueError("an input must be finite, but contains NaN or infinite values")
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        if given.min() < limits.min or given.max() > limits.max or (given % 1).any():
            raise ValueError(
                f"an input must consist of whole numbers from {limits.min} to {limits.max}, as in "
                f"training, got {given.dtype} from {given.min():g} to {given.max():g}"
            )
    return given.astype(dtype)


def check_shape(array: np.ndarray, expected: Sequence[int | None] | None) -> None:
    """Raises a ValueError if an array does not have the expected shape.

    Args:
        array: the array.
        expected: its shape, with None for axes of any size; None if the export is of a version
            that did not record it.
    """
    if expected is None:
        return
    same = array.ndim == len(expected)
    if not same or any(b not in (None, a) for a, b in zip(array.shape, expected, strict=True)):
        shown = ", ".join("any" if size is None else str(size) for size in expected)
        raise ValueError(
            f"an input must have the shape ({shown}), as in training, got {array.shape}"
        )


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
        rows = [checked(array, self.about["dtype"]) for array in inputs]
        for row in rows:
            check_shape(row, self.about.get("shape"))
        return {self.about["name"]: np.stack(rows)}

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
        narrow = self.about["axes"] > 1  # a series of one number per step may have a single axis
        rows = [row[:, None] if narrow and row.ndim == 1 else row for row in rows]
        for row in rows:
            check_shape(row, self.about.get("shape"))
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
        pixels = checked(image, about["dtype"])
        check_shape(pixels, about.get("shape"))
        # Older exports have recorded only the height.
        if pixels.ndim not in (2, 3):
            raise ValueError(f"images must have two or three axes, got {pixels.shape}")
        columns = np.moveaxis(pixels, 1, 0)
        if columns.shape[1] != about["height"]:
            raise ValueError(
                f"images must be {about['height']} pixels high, got {columns.shape[1]}"
            )
        missing = -len(columns) % about["columns"]
        columns = np.pad(columns, [(0, missing)] + [(0, 0)] * (columns.ndim - 1))
        steps = columns.reshape(len(columns) // about["columns"], -1)
        return steps[: about.get("maximum_length")]  # older exports have none
