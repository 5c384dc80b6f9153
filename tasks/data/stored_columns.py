"""Columns of examples that stay on disk: they behave like lists, but read values on demand.

`pick` selects rows without reading them; `seqzoo.tasks.data.examples` and the splits call it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence, Set
from typing import Any, Self

import numpy as np

from seqzoo.tasks.data.cache import Mapped, digest_of

MANY = 1 << 16
"""Number of digests that are read at a time."""

AT_ONCE = 8192
"""Number of values that are read at a time when a column is iterated over."""


class StoredColumn(Sequence):
    """A column, or some of its rows.

    Attributes:
        rows: the indices of its rows in the whole column; None for all.
    """

    rows: np.ndarray | None = None

    def pick(self, chosen: Any) -> Self:
        """Selects rows, in the order of `chosen`."""
        picked = object.__new__(type(self))
        picked.__dict__.update(self.__dict__)
        # Not copied if possible, so that all columns of a table can share it.
        picked.rows = np.asarray(chosen if self.rows is None else self.rows[chosen], np.int32)
        return picked

    def __len__(self) -> int:
        return self.count if self.rows is None else len(self.rows)

    @property
    def count(self) -> int:
        """The number of rows of the whole column."""
        raise NotImplementedError

    def read(self, rows: np.ndarray) -> Sequence[Any]:
        """The values of some rows of the whole column."""
        raise NotImplementedError

    def span(self, start: int, stop: int) -> np.ndarray:
        """The indices of consecutive values in the whole column."""
        stop = min(stop, len(self))
        return np.arange(start, stop) if self.rows is None else self.rows[start:stop]

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            return (
                list(self.read(self.span(start, stop)))[::step]
                if step > 0
                else [self[item] for item in range(start, stop, step)]
            )
        index = range(len(self))[int(index)]
        return self.read(self.span(index, index + 1))[0]

    def __iter__(self) -> Iterator[Any]:
        for start in range(0, len(self), AT_ONCE):
            yield from self.read(self.span(start, start + AT_ONCE))


class TextColumn(StoredColumn):
    """Texts, one after the other in a UTF-8 file.

    Args:
        data: the bytes of all texts.
        offsets: the first byte of each text, and the end of the last one.
        key: identifies the column, so that data derived from it can be found again.
    """

    def __init__(self, data: Mapped, offsets: Mapped, key: str):
        self.data = data
        self.offsets = offsets
        self.key = key

    @property
    def count(self) -> int:
        return len(self.offsets) - 1

    def read(self, rows: np.ndarray) -> list[str]:
        return [text.decode("utf-8") for text in self.read_utf8(rows)]

    def utf8(self, start: int, stop: int) -> list[bytes]:
        """Consecutive texts as UTF-8."""
        return self.read_utf8(self.span(start, stop))

    def read_utf8(self, rows: np.ndarray) -> list[bytes]:
        """The texts of some rows of the whole column as UTF-8."""
        if not len(rows):
            return []
        first, last = int(rows.min()), int(rows.max())
        if last - first > 4 * len(rows) + 1:  # far apart
            bounds = zip(self.offsets[rows].tolist(), self.offsets[rows + 1].tolist(), strict=True)
            return [self.data[start:end].tobytes() for start, end in bounds]
        offsets = self.offsets[first : last + 2]
        block = self.data[int(offsets[0]) : int(offsets[-1])].tobytes()
        offsets -= offsets[0]
        at = rows - first
        starts, ends = offsets[at].tolist(), offsets[at + 1].tolist()
        return [block[start:end] for start, end in zip(starts, ends, strict=True)]


class ClassColumn(StoredColumn):
    """Names from a small set.

    Args:
        names: the names that may occur.
        codes: the index of each row's name.
    """

    def __init__(self, names: Sequence[str], codes: np.ndarray):
        self.names = list(names)
        self.all_codes = codes

    @property
    def count(self) -> int:
        return len(self.all_codes)

    @property
    def codes(self) -> np.ndarray:
        """The index of each value in `names`."""
        return self.all_codes if self.rows is None else self.all_codes[self.rows]

    def read(self, rows: np.ndarray) -> list[str]:
        return [self.names[code] for code in self.all_codes[rows].tolist()]

    def is_in(self, names: Set[str]) -> np.ndarray:
        """Whether each value is one of some names, (n,), bool."""
        return np.array([name in names for name in self.names], bool)[self.codes]

    def counts(self) -> Counter[str]:
        """How often each name occurs, in the order of `names`."""
        result = np.bincount(self.codes, minlength=len(self.names)).tolist()
        return Counter({name: item for name, item in zip(self.names, result, strict=True) if item})


class NumberColumn(StoredColumn):
    """Numbers, read from their file on demand."""

    def __init__(self, numbers: Mapped):
        self.numbers = numbers

    @property
    def count(self) -> int:
        return len(self.numbers)

    def read(self, rows: np.ndarray) -> Sequence[Any]:
        return self.numbers[np.asarray(rows)].tolist()


class LocationColumn(NumberColumn):
    """The locations of rows in several files: "18 of parts/2.csv".

    Args:
        numbers: the line or row of each example in its file.
        names: the files.
        starts: the first row of each file in the column.
    """

    def __init__(self, numbers: Mapped, names: Sequence[str], starts: Sequence[int]):
        super().__init__(numbers)
        self.names = list(names)
        self.starts = np.array(starts)

    def read(self, rows: np.ndarray) -> list[str]:
        files = np.searchsorted(self.starts, rows, side="right") - 1
        numbers = self.numbers[np.asarray(rows)].tolist()
        return [
            f"{number} of {self.names[file]}" for number, file in zip(numbers, files, strict=True)
        ]


class DigestKeys(StoredColumn):
    """Digests of inputs, equal for equal inputs, and the order of the examples by digest.

    Args:
        digests: shape (n, 2), uint64: the digest of each input in two halves.
        order: the rows sorted by their digests, int32.
        fresh: whether the digest of each row of `order` differs from that of the one before.
        seed: the random seed that the digests depend on.
    """

    def __init__(self, digests: Mapped, order: Mapped, fresh: Mapped, seed: int):
        self.digests = digests
        self.order = order
        self.fresh = fresh
        self.seed = seed

    @property
    def count(self) -> int:
        return len(self.digests)

    def read(self, rows: np.ndarray) -> list[bytes]:
        return [item.tobytes() for item in self.digests[np.asarray(rows)]]

    def halves(self) -> np.ndarray:
        """All digests, (n, 2)."""
        return self.digests[:] if self.rows is None else self.digests[self.rows]

    def is_in(self, other: "DigestKeys") -> np.ndarray:
        """Whether each digest occurs in `other`, other rows of the same column, (n,), bool."""
        order = self.order[:]
        groups = np.empty(self.count, np.int32)
        groups[order] = np.cumsum(self.fresh[:], dtype=np.int32) - 1
        known = np.zeros(self.count, bool)
        known[groups if other.rows is None else groups[other.rows]] = True
        return known[groups if self.rows is None else groups[self.rows]]

    def shuffled(self) -> tuple[np.ndarray, np.ndarray]:
        """The indices of the examples in the order of their digests, and whether each differs from
        the one before."""
        order, fresh = self.order[:], self.fresh[:]
        if self.rows is None:
            return order, fresh
        at = np.full(self.count, -1, np.int32)
        at[self.rows] = np.arange(len(self.rows), dtype=np.int32)
        at = at[order]
        group = np.cumsum(fresh)[at >= 0]
        return at[at >= 0], np.diff(group, prepend=0) > 0


def sort_digests(digests: Mapped) -> tuple[np.ndarray, np.ndarray]:
    """Sorts digests.

    Args:
        digests: shape (n, 2), uint64.

    Returns:
        The rows in the order of their digests, equal digests in the order of their rows, (n,),
        int32; and whether each digest in this order differs from the one before, (n,), bool.
    """
    count = len(digests)
    pieces = range(0, count, MANY)
    first = np.concatenate([digests[start : start + MANY, 0] for start in pieces])
    order = np.argsort(first, kind="stable").astype(np.int32)
    first = first[order]
    fresh = np.ones(count, bool)
    fresh[1:] = first[1:] != first[:-1]
    del first
    again = np.flatnonzero(~fresh)
    # The second half only matters if first halves are equal, which hardly ever happens.
    differs = [
        (digests[order[at].astype(np.int64), 1] != digests[order[at - 1].astype(np.int64), 1]).any()
        for at in (again[start : start + MANY] for start in range(0, len(again), MANY))
    ]
    if any(differs):
        order = np.lexsort((digests[:, 1], digests[:, 0])).astype(np.int32)
        ordered = digests[order]
        fresh[1:] = (ordered[1:] != ordered[:-1]).any(1)
    return order, fresh


def rows_digest(column: StoredColumn) -> str:
    """Identifies the selected rows of a column: "all" or a digest."""
    return "all" if column.rows is None else digest_of(column.rows)
