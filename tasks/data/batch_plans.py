"""Which examples make a batch, and to what lengths it is padded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from seqzoo.tasks.data.sequences import Data, Sequences
from seqzoo.tasks.errors import SeqzooError

CANDIDATES = 200
"""Lengths that are considered as padded lengths."""

COMPILATION = 100_000
"""Time steps, of all rows of a batch together, that take about as long as to compile a layer for
one more length; both grow alike with the number of layers. Measured on two cores in training four
presets of 32 to 256 rows: 72,000 to 200,000."""


@dataclass(frozen=True)
class Padding:
    """What batches are padded to: each of the lists has its lengths, shortest first.

    Attributes:
        inputs: lengths of inputs.
        targets: lengths of targets; none where these are no sequences.
    """

    inputs: list[int]
    targets: list[int]

    @classmethod
    def choose(cls, data: Data, most: int, batch_size: int, *, epochs: int = 1) -> "Padding":
        """The lengths that cost the least time, compiling included; see `choose_lengths`."""
        lengths = [data.inputs.lengths]
        if data.window is not None:
            lengths = [np.minimum(lengths[0], data.window)]
        if isinstance(data.targets, Sequences):
            lengths.append(data.targets.lengths)
        chosen = [choose_lengths(own, most, batch_size, epochs=epochs) for own in lengths]
        return cls(chosen[0], chosen[1] if len(chosen) > 1 else [])


@dataclass(frozen=True)
class Plan:
    """Batches, one after the other.

    Attributes:
        rows: shape (all rows,), int32: the examples of the batches.
        weights: shape (all rows,), float32: one, or zero for a row that only fills up.
        bounds: shape (steps + 1,), int64: where each batch begins in `rows`, and the end.
        lengths: shape (steps,), int32: what a batch's inputs are padded to.
        target_lengths: shape (steps,), int32: what its targets are padded to.
        size: rows of all batches where they are equal, else None.
        length: length of all batches where they are equal, else None; it can then be static.
        views: where the rows are parts of examples, arrays of shape (all rows,) by name: "starts"
            (int64) and "lengths" (int32) say which part of all steps a row is (of targets, if
            any, the same); all others are handed on with the batch.
    """

    rows: np.ndarray
    weights: np.ndarray
    bounds: np.ndarray
    lengths: np.ndarray
    target_lengths: np.ndarray
    size: int | None
    length: int | None
    views: dict[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.lengths)

    def time_steps(self, data: Data) -> np.ndarray:
        """Steps of each batch without padding, (steps,), int64: those of the inputs, and those of
        targets that are not the answers to these, step by step."""
        lengths = self.views.get("lengths", data.inputs.lengths[self.rows]).astype(np.int64)
        targets = data.targets
        if isinstance(targets, Sequences):
            if not np.array_equal(targets.lengths, data.inputs.lengths):
                lengths += targets.lengths[self.rows]
        counted = np.where(self.weights > 0, lengths, 0)
        return np.add.reduceat(counted, self.bounds[:-1])

    def since(self, step: int) -> "Plan":
        """The plan without its first steps."""
        return replace(
            self,
            bounds=self.bounds[step:],
            lengths=self.lengths[step:],
            target_lengths=self.target_lengths[step:],
        )

    def shard(self, index: int, count: int) -> "Plan":
        """What one of several workers takes of a plan that all of them have made.

        Each gets its rows of every batch: all have equally many batches, of the same lengths, and
        together all examples. A row of a batch is the same worker's in the next one, so that
        states are carried on. A shard goes on in mid-epoch as a plan does, by `since`.

        Args:
            index: of the worker, from 0.
            count: of all workers; the rows of each batch must be a multiple of it, see `multiple`
                of `make_plan`.

        Raises:
            SeqzooError: there is no such worker, or the rows cannot be shared out.
        """
        if not 0 <= index < count:
            raise SeqzooError(f"`index` must be at least 0 and below {count}, got {index}.")
        sizes = np.diff(self.bounds)
        if (sizes % count).any():
            raise SeqzooError(
                f"The rows of each batch must be a multiple of {count} workers, got "
                f"{int(sizes[sizes % count > 0][0])}; make the plan with `multiple`={count}."
            )
        # Not one block after the other: rows that only fill up are a batch's last ones.
        parts = [np.arange(start + index, end, count) for start, end in self._edges()]
        own = np.concatenate([np.zeros(0, np.int64), *parts])
        return replace(
            self,
            rows=self.rows[own],
            weights=self.weights[own],
            bounds=np.concatenate([[0], np.cumsum(sizes // count)]),
            size=None if self.size is None else self.size // count,
            views={name: array[own] for name, array in self.views.items()},
        )

    def _edges(self) -> Iterator[tuple[int, int]]:
        """Where each batch begins and ends."""
        return zip(self.bounds[:-1].tolist(), self.bounds[1:].tolist(), strict=True)


def choose_lengths(
    lengths: np.ndarray, most: int, batch_size: int, *, epochs: int = 1
) -> list[int]:
    """Padded lengths that cost the least time, compiling included, shortest first.

    Args:
        lengths: of all training sequences.
        most: how many padded lengths there may be.
        batch_size: rows in a batch; a batch that is not full costs as much as a full one.
        epochs: how often all sequences are run.
    """
    ordered = np.sort(lengths)
    picks = np.linspace(0, len(ordered) - 1, min(CANDIDATES, len(ordered))).round().astype(int)
    ends = np.unique(ordered[picks])
    # up_to[j]: sequences no longer than the j-th candidate, with an entry for "none" in front.
    up_to = np.concatenate([[0], np.searchsorted(ordered, ends, side="right")])
    batches = -(-(up_to[None, :] - up_to[:, None]) // batch_size)
    cost = np.where(batches > 0, batches * np.concatenate([[0], ends])[None, :], np.inf)
    best = np.full(len(up_to), np.inf)
    best[0] = 0.0
    totals, origins = [], []
    for _ in range(min(most, len(ends))):
        options = best[:, None] + cost
        origins.append(options.argmin(0))
        best = options.min(0)
        totals.append(best[-1])
    steps = epochs * batch_size * np.array(totals)
    count = 1 + int(np.argmin(steps + COMPILATION * np.arange(len(totals))))
    chosen, at = [], len(ends)
    for step in reversed(range(count)):
        chosen.append(int(ends[at - 1]))
        at = origins[step][at]
    return chosen[::-1]


def make_plan(
    data: Data,
    padding: Padding,
    batch_size: int,
    *,
    steps_a_batch: int | None = None,
    multiple: int = 1,
    seed: tuple[int, ...] | None = None,
) -> Plan:
    """Sorts examples into batches by the lengths of their inputs, and within these by targets.

    The same arguments give the same plan, and neither the number of batches nor their shapes
    depend on the seed.

    Args:
        data: the examples.
        padding: what batches are padded to; longer sequences are padded to the longest of these
            lengths, doubled as often as needed.
        batch_size: the most rows in a batch.
        steps_a_batch: the most time steps in a batch, padding included; at long lengths it then
            has fewer rows. None for no such limit.
        multiple: what the rows of a batch must be a multiple of.
        seed: shuffles examples within a length, and then the batches; None for neither.
    """
    ends, buckets = _sorted_in(padding.inputs, data.inputs.lengths)
    random = None if seed is None else np.random.Generator(np.random.PCG64(seed))
    target_ends, target_buckets = [0], np.zeros(len(data), np.int64)
    if isinstance(data.targets, Sequences):
        target_ends, target_buckets = _sorted_in(padding.targets, data.targets.lengths)
    batches: list[tuple[np.ndarray, np.ndarray, int, int]] = []
    for bucket in np.unique(buckets):
        members = np.flatnonzero(buckets == bucket)
        if random is not None:
            random.shuffle(members)
        members = members[np.argsort(target_buckets[members], kind="stable")]
        size = batch_size
        if steps_a_batch is not None:
            size = min(size, steps_a_batch // ends[bucket])
        size = max(size // multiple, 1) * multiple
        for start in range(0, len(members), size):
            own = members[start : start + size]
            weights = np.zeros(size, np.float32)
            weights[: len(own)] = 1.0
            longest = target_ends[target_buckets[own].max()]
            rows = np.concatenate([own, np.repeat(own[:1], size - len(own))])
            batches.append((rows.astype(np.int32), weights, ends[bucket], longest))
    if random is not None:
        batches = [batches[index] for index in random.permutation(len(batches))]
    rows, weights, lengths, target_lengths = zip(*batches, strict=True)
    sizes = [len(own) for own in rows]
    return Plan(
        rows=np.concatenate(rows),
        weights=np.concatenate(weights),
        bounds=np.concatenate([[0], np.cumsum(sizes)]),
        lengths=np.array(lengths, np.int32),
        target_lengths=np.array(target_lengths, np.int32),
        size=sizes[0] if len(set(sizes)) == 1 else None,
        length=lengths[0] if len(set(lengths)) == 1 else None,
    )


def _sorted_in(padded: Sequence[int], lengths: np.ndarray) -> tuple[list[int], np.ndarray]:
    """The padded lengths, with those that longer sequences need, and the place of each in them."""
    padded = list(padded)
    while padded[-1] < lengths.max():
        padded.append(2 * padded[-1])
    return padded, np.searchsorted(padded, lengths)
