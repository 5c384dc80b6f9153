"""Batches of windows: parts of long sequences, with states carried from one to the next."""

from dataclasses import dataclass, replace

import numpy as np

from seqzoo.tasks.data.batches import Data, Padding, Plan, Sequences, make_plan
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.settings import TrainingSettings

WARM_UP = 256
"""In evaluation, number of steps that a lane reads before its first scored step if it begins within
a sequence."""


@dataclass(frozen=True)
class Windows:
    """Windows of sequences, one after the other; each array has the shape (n,).

    Attributes:
        rows: the sequence of each window.
        starts: the first step of each window, among all steps.
        lengths: the length of each window.
        first: whether each window is the first one of its sequence.
    """

    rows: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    first: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def of(cls, sequences: Sequences, chosen: np.ndarray, window: int) -> "Windows":
        """The windows of the sequences `chosen`, in this order."""
        lengths = sequences.lengths[chosen].astype(np.int64)
        counts = -(-lengths // window)
        rows = np.repeat(chosen, counts)
        positions = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        left = np.repeat(lengths, counts) - positions * window
        starts = sequences.starts[rows] + positions * window
        return cls(rows, starts, np.minimum(left, window), positions == 0)

    @classmethod
    def shifted(cls, sequences: Sequences, window: int, random: np.random.Generator) -> "Windows":
        """Full windows of one sequence, with a random offset, so that no step is always a window's
        first one. Fewer than two windows' worth of steps are left out at the ends; the number of
        windows does not depend on the offset."""
        steps = int(sequences.lengths[0])
        if steps <= window:
            return cls.of(sequences, np.array([0]), window)
        count = max((steps - window + 1) // window, 1)
        begin = random.integers(0, min(window, steps - count * window + 1))
        positions = np.arange(count)
        rows, lengths = np.zeros_like(positions), np.full_like(positions, window)
        return cls(rows, begin + window * positions, lengths, positions == 0)


@dataclass(frozen=True)
class LaneData(Data):
    """Texts that are processed in windows, with the state carried from one to the next.

    Attributes:
        whole: whether the data is a single sequence, a part of an endless one.
        start: id of the token that begins a sequence.
    """

    whole: bool = False
    start: int = 0

    def plan(
        self,
        padding: Padding,
        settings: TrainingSettings,
        *,
        multiple: int = 1,
        seed: tuple[int, ...] | None = None,
    ) -> Plan:
        if settings.batch_steps is not None:
            raise SeqzooError(
                field="batch_steps",
                expected="None for data in windows; choose `window` and `batch_size`",
                got=settings.batch_steps,
            )
        size = settings.batch_size
        return window_plan(self, padding, size, whole=self.whole, start=self.start, seed=seed)


@dataclass(frozen=True)
class SampledData(Data):
    """Sequences that are subsampled in training: each epoch draws at most `max_sequences` of
    them. Without a seed, as in evaluation, all are used.

    Attributes:
        max_sequences: maximum number of sequences per epoch.
    """

    max_sequences: int = 1

    def plan(
        self,
        padding: Padding,
        settings: TrainingSettings,
        *,
        multiple: int = 1,
        seed: tuple[int, ...] | None = None,
    ) -> Plan:
        if seed is None or len(self) <= self.max_sequences:
            return super().plan(padding, settings, multiple=multiple, seed=seed)
        random = np.random.Generator(np.random.PCG64(seed))
        chosen = np.sort(random.choice(len(self), self.max_sequences, replace=False))
        inputs = Sequences(self.inputs.flat[:0], self.inputs.lengths[chosen])
        plan = Data(inputs).plan(padding, settings, multiple=multiple, seed=seed)
        return replace(plan, rows=chosen[plan.rows].astype(np.int32))


@dataclass(frozen=True)
class CropData(Data):
    """Sequences that are cropped at random positions in training, and complete in evaluation.

    Attributes:
        steps: number of steps in a cropped part.
    """

    steps: int = 1

    def plan(
        self,
        padding: Padding,
        settings: TrainingSettings,
        *,
        multiple: int = 1,
        seed: tuple[int, ...] | None = None,
    ) -> Plan:
        if seed is None:
            return super().plan(padding, settings, multiple=multiple)
        return crop_plan(
            self,
            padding,
            settings.batch_size,
            steps=self.steps,
            multiple=multiple,
            seed=seed,
            steps_per_batch=settings.batch_steps,
        )


def window_plan(
    data: Data,
    padding: Padding,
    batch_size: int,
    *,
    whole: bool,
    start: int,
    seed: tuple[int, ...] | None = None,
) -> Plan:
    """Batches in which each row is a lane: it continues the same row of the previous batch.

    Sequences of several windows follow one another in `batch_size` lanes of equal lengths, so a
    few are cut where a lane ends. Sequences of one window need no carried state: they are sorted
    by length into separate batches, which are inserted at random positions and leave the states of
    the lanes unchanged.

    The same arguments give the same plan, and neither the number of batches nor their shapes
    depend on the seed.

    In addition to "starts" and "lengths", the views of a plan have "resets", bool: whether the
    state before the window is zero; "aside", bool: whether the state after it is not carried over;
    "before", int32: the token before the window, or `start` if there is none.

    Args:
        data: sequences of ids, with `window` set.
        padding: the lengths that batches of shorter sequences are padded to.
        batch_size: number of rows in a batch.
        whole: whether the data is a single sequence, a part of an endless one, so that each lane
            begins with `start`. With a seed, its windows have a different offset in each epoch.
        start: id of the token that begins a sequence.
        seed: shuffles sequences and batches. None for evaluation: nothing is shuffled, and a lane
            that begins inside a sequence first reads the `WARM_UP` steps before its start, with
            weight 0, so that every scored step has the steps before it as context.
    """
    random = None if seed is None else np.random.Generator(np.random.PCG64(seed))
    # A single endless sequence runs in lanes even if it is short.
    short = (data.inputs.lengths <= (data.window or 0)) & (not whole)
    chosen, others = np.flatnonzero(~short), np.flatnonzero(short)
    if not len(chosen):
        return _asides(data, others, padding, batch_size, start, seed)
    lanes = _lanes(data, chosen, batch_size, whole, start, random)
    if not len(others):
        return lanes
    return _mixed(lanes, _asides(data, others, padding, batch_size, start, seed), random)


def crop_plan(
    data: Data,
    padding: Padding,
    batch_size: int,
    *,
    steps: int,
    multiple: int = 1,
    seed: tuple[int, ...],
    steps_per_batch: int | None = None,
) -> Plan:
    """Batches of parts of long sequences, each at a random position, and of short sequences.

    A sequence has as many parts as are needed to cover it. Neither the number of batches nor their
    shapes depend on the seed.

    Args:
        data: sequences.
        padding: the lengths that batches of shorter sequences are padded to.
        batch_size: maximum number of rows in a batch.
        steps: number of steps in a part.
        multiple: see `make_plan`.
        seed: random seed for the positions and for shuffling.
        steps_per_batch: maximum number of time steps in a batch, padding included; None for any.
    """
    lengths = data.inputs.lengths.astype(np.int64)
    rows = np.repeat(np.arange(len(lengths)), -(-lengths // steps))
    random = np.random.Generator(np.random.PCG64((*seed, 1)))
    free = np.maximum(lengths[rows] - steps, 0)
    starts = data.inputs.starts[rows] + random.integers(0, free + 1)
    parts = np.minimum(lengths[rows], steps)
    plan = _by_length(data, parts, padding, steps, batch_size, multiple, seed, steps_per_batch)
    views = {"starts": starts[plan.rows], "lengths": parts[plan.rows].astype(np.int32)}
    return replace(plan, rows=rows[plan.rows].astype(np.int32), views=views)


def _by_length(
    data, lengths, padding, longest, batch_size, multiple, seed, steps_per_batch=None
) -> Plan:
    """A plan for rows with these lengths, which are at most `longest`."""
    ends = [end for end in padding.inputs if end < longest] + [longest]
    sized = Data(Sequences(data.inputs.flat, lengths))
    return make_plan(
        sized,
        Padding(ends, []),
        batch_size,
        multiple=multiple,
        seed=seed,
        steps_per_batch=steps_per_batch,
    )


def _lanes(
    data: Data,
    chosen: np.ndarray,
    batch_size: int,
    whole: bool,
    start: int,
    random: np.random.Generator | None,
) -> Plan:
    """Batches of lanes, for the sequences of several windows."""
    window = data.window or 0
    if random is None:
        windows = Windows.of(data.inputs, chosen, window)
    elif whole:
        windows = Windows.shifted(data.inputs, window, random)
    else:
        windows = Windows.of(data.inputs, random.permutation(chosen), window)
    bounds = np.arange(batch_size + 1) * len(windows) // batch_size
    warm = np.zeros(batch_size, np.int64)
    if random is None:
        position = np.arange(len(windows))
        position -= np.maximum.accumulate(np.where(windows.first, position, 0))
        before = position[np.minimum(bounds[:-1], len(windows) - 1)]
        warm = np.where(np.diff(bounds) > 0, np.minimum(before, -(-WARM_UP // window)), 0)
    steps = int((np.diff(bounds) + warm).max())
    at = bounds[:-1] - warm + np.arange(steps)[:, None]  # (steps, batch)
    exists = at < bounds[1:]
    at = np.where(exists, at, 0)
    resets = ~exists | windows.first[at]
    resets[0] = True
    begins = resets if whole else windows.first[at]
    tokens = data.inputs.flat[np.maximum(windows.starts[at] - 1, 0)]
    length = int(windows.lengths.max())
    return Plan(
        rows=windows.rows[at].reshape(-1).astype(np.int32),
        weights=(exists & (at >= bounds[:-1])).reshape(-1).astype(np.float32),
        bounds=np.arange(steps + 1) * batch_size,
        lengths=np.full(steps, length, np.int32),
        target_lengths=np.zeros(steps, np.int32),
        size=batch_size,
        length=length,
        views={
            "starts": windows.starts[at].reshape(-1),
            "lengths": np.where(exists, windows.lengths[at], 0).reshape(-1).astype(np.int32),
            "resets": resets.reshape(-1),
            "aside": np.zeros(steps * batch_size, bool),
            "before": np.where(begins, start, tokens).reshape(-1).astype(np.int32),
        },
    )


def _asides(
    data: Data,
    chosen: np.ndarray,
    padding: Padding,
    batch_size: int,
    start: int,
    seed: tuple[int, ...] | None,
) -> Plan:
    """Batches of the sequences of one window, whose states are not carried over."""
    lengths = data.inputs.lengths[chosen]
    plan = _by_length(data, lengths, padding, data.window, batch_size, batch_size, seed)
    rows = chosen[plan.rows]
    views = {
        "starts": data.inputs.starts[rows],
        "lengths": data.inputs.lengths[rows],
        "resets": np.ones(len(rows), bool),
        "aside": np.ones(len(rows), bool),
        "before": np.full(len(rows), start, np.int32),
    }
    return replace(plan, rows=rows.astype(np.int32), views=views)


def _mixed(lanes: Plan, asides: Plan, random: np.random.Generator | None) -> Plan:
    """Merges the two plans, at random with a generator; the batches of each keep their order."""
    source = np.repeat([0, 1], [len(lanes), len(asides)])
    if random is not None:
        source = random.permutation(source)
    # The index of each batch in the concatenation of the two plans.
    order = np.argsort(np.argsort(source, kind="stable"), kind="stable")
    size = lanes.size or 0
    rows = (order[:, None] * size + np.arange(size)).reshape(-1)
    lengths = np.concatenate([lanes.lengths, asides.lengths])
    return Plan(
        rows=np.concatenate([lanes.rows, asides.rows])[rows],
        weights=np.concatenate([lanes.weights, asides.weights])[rows],
        bounds=np.arange(len(order) + 1) * size,
        lengths=lengths[order],
        target_lengths=np.zeros(len(order), np.int32),
        size=size,
        length=None,
        views={
            name: np.concatenate([part, asides.views[name]])[rows]
            for name, part in lanes.views.items()
        },
    )
