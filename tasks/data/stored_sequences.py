"""Sequences of ids that stay on disk; batches read only the tokens that they need."""

import threading
from collections.abc import Iterator
from functools import cached_property

import numpy as np

from seqzoo.tasks.data.batches import Sequences
from seqzoo.tasks.data.cache import Entry, Mapped
from seqzoo.tasks.data.stored_columns import AT_ONCE

APART = 32
"""Interval, in sequences, at which starts are kept in memory."""


class StoredSequences(Sequences):
    """Some of the sequences in a file.

    Args:
        entry: the cache entry that contains the file.
        tokens: the index of each token in the list of distinct tokens, for all sequences in the
            file, one sequence after the other.
        all_lengths: length of each sequence in the file, (sequences,), of any integer type.
        rows: indices of the selected sequences, (n,).
        ids: the id of each distinct token.
        key: identifies these sequences across processes.
    """

    on_disk = True

    def __init__(
        self,
        entry: Entry,
        tokens: Mapped,
        all_lengths: np.ndarray,
        rows: np.ndarray,
        ids: np.ndarray,
        key: str,
    ):
        self.entry = entry
        self.tokens = tokens
        self.ids = ids
        self.key = key
        self.rows = rows
        self._all_lengths = all_lengths
        # Starts at intervals only: those of all sequences would take more memory than the lengths.
        sums = np.add.reduceat(all_lengths, np.arange(0, len(all_lengths), APART), dtype=np.int64)
        self._starts = np.cumsum(sums) - sums
        self._lock = threading.Lock()

    @property
    def lengths(self) -> np.ndarray:
        """The length of each sequence, (n,), int32, computed at each access."""
        return self._all_lengths[self.rows].astype(np.int32)

    def lengths_of(self, chosen: np.ndarray) -> np.ndarray:
        return self._all_lengths[self.rows[chosen]].astype(np.int32)

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def flat(self) -> np.ndarray:
        """The ids of all sequences, one after the other, in memory."""
        return np.concatenate(list(self.pieces()))

    @cached_property
    def starts(self) -> np.ndarray:
        """The start of each sequence in `flat`."""
        return np.cumsum(self.lengths, dtype=np.int64) - self.lengths

    def offsets(self, chosen: np.ndarray) -> np.ndarray:
        """The starts of the chosen sequences in the file."""
        block, after = np.divmod(self.rows[chosen], APART)
        steps = np.arange(APART)
        before = np.minimum(block[:, None] * APART + steps, len(self._all_lengths) - 1)
        lengths = np.where(steps < after[:, None], self._all_lengths[before], 0)
        return self._starts[block] + lengths.sum(1, dtype=np.int64)

    def __getitem__(self, index: int) -> np.ndarray:
        chosen = np.array([index])
        start, length = int(self.offsets(chosen)[0]), int(self.lengths_of(chosen)[0])
        return self.ids[self.tokens[start : start + length]]

    def pieces(self) -> Iterator[np.ndarray]:
        """Yields the ids of `flat`, a piece at a time."""
        for start in range(0, len(self), AT_ONCE):
            chosen = np.arange(start, min(start + AT_ONCE, len(self)))
            indices, lengths = self.offsets(chosen), self.lengths_of(chosen)
            low, high = int(indices[0]), int(indices[-1]) + int(lengths[-1])
            count = int(lengths.sum())
            if 0 <= high - low <= 4 * count and (np.diff(indices) > 0).all():
                block = self.tokens[low:high]
                marks = np.zeros(len(block) + 1, np.int8)
                marks[indices - low] += 1
                marks[indices - low + lengths] -= 1
                yield self.ids[block[np.cumsum(marks[:-1], dtype=np.int8).astype(bool)]]
                continue
            shift = np.repeat(indices - (np.cumsum(lengths) - lengths), lengths)
            yield self.ids[self.tokens[np.arange(count) + shift]]

    def padded(self, rows: np.ndarray, longest: int) -> np.ndarray:
        """Selected sequences, padded with zeros: (rows, longest), int32."""
        lengths = np.minimum(self.lengths_of(rows), longest)
        inside = np.arange(longest) < lengths[:, None]
        values = np.zeros(inside.shape, np.int32)
        at = self.offsets(rows)[:, None] + np.arange(longest)
        with self._lock:
            values[inside] = self.ids[self.tokens.take(at[inside], len(rows))]
        return values
