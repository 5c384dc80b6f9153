"""Averages of weights: exponential moving averages over updates, or the mean of the best epochs."""

import contextlib
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from seqzoo.tasks.atomic_files import naming_full_disk, replacing
from seqzoo.tasks.data.npz_members import READ_ERRORS
from seqzoo.tasks.errors import SeqzooError

EPOCH = "epoch-"
"""Prefix of the names of the files with an epoch's weights; the epoch's number follows."""


def averaged_variables(model: Any) -> list[Any]:
    """The variables of a model that are averaged: all except the states of seed generators."""
    return [variable for variable in model.variables if tf.as_dtype(variable.dtype).is_floating]


def decay_at(update: Any, decay: float) -> Any:
    """The decay at update n, counted from 1: min(decay, (1 + n) / (10 + n)), which is smaller at
    first, so that the initial weights are soon forgotten."""
    return tf.minimum(tf.cast(decay, tf.float64), (1 + update) / (10 + update))


@contextlib.contextmanager
def with_values(variables: Sequence[Any], values: Sequence[Any]) -> Iterator[None]:
    """A context in which variables temporarily have the given values."""
    arrays = [variable.numpy() for variable in variables]
    try:
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        yield
    finally:
        for variable, value in zip(variables, arrays, strict=True):
            variable.assign(value)


class BestEpochs:
    """The weights of the best epochs, one file per epoch.

    Args:
        folder: the folder of the files.
    """

    def __init__(self, folder: pathlib.Path):
        self.folder = folder

    def keep(self, epoch: int, variables: Sequence[Any], epochs: Sequence[int]) -> list[np.ndarray]:
        """Stores the weights of an epoch, and removes those of epochs that are no longer among the
        best.

        Args:
            epoch: the number of the epoch.
            variables: the variables, which hold its weights.
            epochs: the numbers of the epochs to keep, including this one.

        Returns:
            The means over the kept epochs, one per variable.

        Raises:
            SeqzooError: the file of an earlier epoch is missing or damaged.
        """
        path = self._path(epoch)
        with naming_full_disk(path):
            self.folder.mkdir(exist_ok=True)
            with replacing(path) as temporary, open(temporary, "wb") as file:
                arrays = {str(index): variable.numpy() for index, variable in enumerate(variables)}
                np.savez(file, **arrays)  # pyright: ignore[reportArgumentType]
        for other in self.folder.glob(f"{EPOCH}*.npz"):
            if other not in map(self._path, epochs):
                other.unlink()
        sums = [np.zeros(variable.shape) for variable in variables]
        for kept in epochs:
            try:
                with np.load(self._path(kept)) as stored:
                    for index, total in enumerate(sums):
                        total += stored[str(index)]
            except READ_ERRORS as error:
                reason = " ".join(str(error).split())
                raise SeqzooError(
                    f"{self._path(kept)}, the weights of epoch {kept}, cannot be read ({reason}); "
                    "the best epochs are averaged from such files. Restore it, or train a new run.",
                    location=str(self._path(kept)),
                ) from error
        return [total / len(epochs) for total in sums]

    def _path(self, epoch: int) -> pathlib.Path:
        return self.folder / f"{EPOCH}{epoch}.npz"
