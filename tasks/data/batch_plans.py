"""Divides examples into batches, and chooses the lengths to which batches are padded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from seqzoo.tasks.data.sequences import Data, Sequences
from seqzoo.tasks.errors import SeqzooError

CANDIDATES = 200
"""Number of lengths that are considered as padded lengths."""

COMPILATION = 100_000
"""Time steps, over all rows of a batch, that take about as long as compiling a layer for one more
length; both grow with the number of layers. Measured on two cores while training four presets with
32 to 256 rows: 72,000 to 200,000."""


@dataclass(frozen=True)
class Padding:
    """The lengths to which batches are padded, shortest first.

    Attributes:
        inputs: lengths of inputs.
        targets: lengths of targets; empty if targets are not sequences.
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
    """A list of batches.

    Attributes:
        rows: shape (all rows,), int32: the examples of the batches.
        weights: shape (all rows,), float32: one, or zero for filler rows.
        bounds: shape (steps + 1,), int64: the start of each batch in `rows`, and the end.
        lengths: shape (steps,), int32: the padded length of a batch's inputs.
        target_lengths: shape (steps,), int32: that of its targets.
        size: rows per batch if all batches are equal, otherwise None.
        length: length of the batches if all are equal, otherwise None; it can then be static.
        views: if the rows are parts of examples, arrays of shape (all rows,) by name: "starts"
            (int64) and "lengths" (int32) locate a row among all steps (and its targets, if any);
            all others are passed on with the batch.
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
        """Steps of each batch without padding, (steps,), int64: those of the inputs, plus those of
        the targets unless these are aligned with the inputs."""
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
        """The share of one of several workers, each of which makes the same plan.

        Each gets its rows of every batch: all have the same number of batches, of the same
        lengths, and together all examples. A row belongs to the same worker in every batch, so
        that states can be carried on. Like a plan, a shard resumes in mid-epoch with `since`.

        Args:
            index: index of the worker, from 0.
            count: number of workers; the rows of each batch must be a multiple of it, see
                `multiple` of `make_plan`.

        Raises:
            SeqzooError: there is no such worker, or the rows cannot be divided evenly.
        """
        if not 0 <= index < count:
            raise SeqzooError(f"`index` must be at least 0 and below {count}, got {index}.")
        sizes = np.diff(self.bounds)
        if (sizes % count).any():
            raise SeqzooError(
                f"The rows of each batch must be a multiple of {count} workers, got "
                f"{int(sizes[sizes % count > 0][0])}; make the plan with `multiple`={count}."
            )
        # Not in blocks, because filler rows are the last ones of a batch.
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
        """The start and end of each batch."""
        return zip(self.bounds[:-1].tolist(), self.bounds[1:].tolist(), strict=True)


def choose_lengths(
    lengths: np.ndarray, most: int, batch_size: int, *, epochs: int = 1
) -> list[int]:
    """Padded lengths that cost the least time, compiling included, shortest first.

    Args:
        lengths: lengths of all training sequences.
        most: maximum number of padded lengths.
        batch_size: rows per batch; a partly filled batch costs as much as a full one.
        epochs: number of passes over all sequences.
    """
    ordered = np.sort(lengths)
    picks = np.linspace(0, len(ordered) - 1, min(CANDIDATES, len(ordered))).round().astype(int)
    ends = np.unique(ordered[picks])
    # up_to[j]: number of sequences up to the j-th candidate, with an entry for "none" first.
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
        batch_size: maximum number of rows in a batch.
        steps_a_batch: maximum number of time steps in a batch, padding included, so that batches of
            long sequences have fewer rows. None for no limit.
        multiple: the rows of a batch are a multiple of this.
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
    """The padded lengths, extended for longer sequences, and the index for each sequence."""
    padded = list(padded)
    while padded[-1] < lengths.max():
        padded.append(2 * padded[-1])
    return padded, np.searchsorted(padded, lengths)
