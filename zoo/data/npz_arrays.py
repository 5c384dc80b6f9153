"""The arrays of .npz files: numbers and texts, and errors that name the array and the example."""

import pathlib
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from seqzoo.tasks.data.npz_members import READ_ERRORS, read_member
from seqzoo.tasks.errors import SeqzooError, nearest, some_of
from seqzoo.tasks.wording import counted
from seqzoo.zoo.data import fields


@dataclass(frozen=True)
class Array:
    """One array of a file.

    Attributes:
        path: the file.
        name: the name of the array.
        values: numbers, booleans or text.
    """

    path: pathlib.Path
    name: str
    values: np.ndarray

    @property
    def is_text(self) -> bool:
        """Whether it contains text."""
        return self.values.dtype.kind == "U"

    def error(self, what: str, index: int | None = None) -> SeqzooError:
        """An error that names the file, the example, counted from 0, and the array."""
        location = "" if index is None else f", example {index}"
        return SeqzooError(f"{self.path}{location}: {self.name!r} {what}.")

    def mismatch(self, requirement: str) -> SeqzooError:
        """The error for an array that does not have the required shape or type."""
        shape = "x".join(map(str, self.values.shape)) or "a single value"
        return self.error(f"must {requirement}, got {shape} of {_named(self.values.dtype)}")

    def numbers(self) -> np.ndarray:
        """The values as float32; those that are too large become infinite.

        Raises:
            SeqzooError: it contains text.
        """
        if self.is_text:
            raise self.mismatch("contain numbers")
        with np.errstate(over="ignore"):
            return self.values.astype(np.float32)

    def finite(self, parts: Iterable[np.ndarray]) -> list[np.ndarray]:
        """The numbers of each example, unchanged, after a check that they are finite.

        Raises:
            SeqzooError: one is NaN or infinite.
        """
        parts = list(parts)
        for index, part in enumerate(parts):
            bad = np.argwhere(~np.isfinite(part))
            if len(bad):
                number = np.asarray(part)[tuple(bad[0])]
                shown = "NaN" if np.isnan(number) else f"a number beyond {fields.MAX_NUMBER:.2g}"
                step = f" at step {bad[0][0]}" if np.ndim(part) else ""
                raise self.error(
                    f"contains {shown}{step}; fill it in, leave it out, or let 'lengths' end the "
                    "sequence before it",
                    index,
                )
        return parts

    def cut(self, lengths: np.ndarray, values: np.ndarray, whose: str) -> list[np.ndarray]:
        """The sequences of an array, padded or joined, without padding.

        Args:
            lengths: the lengths of the sequences.
            values: the values of the array, before cutting.
            whose: the name of these lengths, for messages.

        Raises:
            SeqzooError: the array does not have these lengths.
        """
        if not values.ndim:
            raise self.mismatch("have values for each step, got a single one")
        joined = len(values) == lengths.sum()
        padded = values.ndim > 1 and len(values) == len(lengths)
        padded = padded and lengths.max() <= values.shape[1]
        if padded and (values.ndim == 3 or not joined):
            return [row[:length] for row, length in zip(values, lengths, strict=True)]
        if joined and values.ndim < 3:
            return np.split(values, np.cumsum(lengths)[:-1])
        raise self.mismatch(
            f"fit {whose} ({counted(len(lengths), 'length')} of at most {lengths.max()}, "
            f"{lengths.sum()} in total)"
        )


class Arrays:
    """The arrays of a file, read on demand and never unpickled; a context manager that closes the
    file.

    Args:
        path: the file.

    Raises:
        SeqzooError: it cannot be read, or is not an .npz file.
    """

    def __init__(self, path: pathlib.Path):
        self.path = path
        try:
            self._file = np.load(path, allow_pickle=False)
        except OSError as error:
            raise SeqzooError(f"{path} cannot be read: {error.strerror or error}.") from error
        except (ValueError, EOFError, zipfile.BadZipFile) as error:
            raise SeqzooError(f"{path} is not an .npz file that NumPy can read.") from error
        if not isinstance(self._file, np.lib.npyio.NpzFile):
            raise SeqzooError(f"{path} has one array without a name; save it with `numpy.savez`.")
        self.names = tuple(self._file.files)
        self._zip: Any = self._file.zip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def find(self, name: str | None, argument: str, usual: Sequence[str]) -> Array:
        """The named array, or the first with one of the usual names.

        Raises:
            SeqzooError: the array does not exist, contains Python objects, or is damaged.
        """
        for candidate in usual if name is None else (name,):
            if candidate in self.names:
                return self[candidate]
        got = "." if name is None else f", got {name!r}{nearest(name, self.names)}"
        raise SeqzooError(
            f"`{argument}` must name an array of {self.path} ({some_of(self.names)}){got}"
        )

    def __getitem__(self, name: str) -> Array:
        """An array that exists.

        Raises:
            SeqzooError: it contains Python objects, or is damaged.
        """
        unread = Array(self.path, name, np.zeros(0))
        try:
            members = {item.filename.removesuffix(".npy"): item for item in self._zip.infolist()}
            values = read_member(self._zip, members[name])
            if values.dtype.kind == "S":
                values = np.char.decode(values, "utf-8")
        except UnicodeDecodeError as error:
            raise unread.error("is not UTF-8") from error
        except READ_ERRORS as error:
            if "Object arrays" in str(error):
                raise unread.error(
                    "contains Python objects, which are not read; concatenate the sequences into "
                    "one array, and save their lengths as 'lengths'"
                ) from error
            reason = str(error).partition("\n")[0].rstrip(".") or "it is incomplete"
            raise unread.error(f"is damaged ({reason})") from error
        array = Array(self.path, name, values)
        if values.dtype.kind not in "biufU":
            raise array.mismatch("contain numbers or text")
        return array

    def lengths(self, name: str) -> Array | None:
        """The lengths of an array's sequences, (n,), from NAME_lengths or lengths; None if it has
        neither.

        Raises:
            SeqzooError: they are not positive whole numbers.
        """
        lengths_name = next(
            (item for item in (f"{name}_lengths", "lengths") if item in self.names), None
        )
        if lengths_name is None:
            return None
        array = self[lengths_name]
        lengths = array.values
        if lengths.ndim != 1 or lengths.dtype.kind not in "iu" or not len(lengths):
            raise array.mismatch("be whole numbers of shape (n,)")
        if lengths.min() < 1:
            index = int(lengths.argmin())
            raise array.error(f"must be at least 1, got {lengths[index]}", index)
        return Array(self.path, lengths_name, lengths.astype(np.int64))


def _named(dtype: np.dtype) -> str:
    return {"U": "text", "S": "bytes"}.get(dtype.kind, str(dtype))
