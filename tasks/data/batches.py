"""Batches: examples as arrays, plans that group them into padded batches, and the batches
themselves, as a `tf.data` pipeline or as arrays."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from seqzoo.tasks.data.shared_arrays import can_share, room_for
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.settings import TrainingSettings

SORTED_AT_ONCE = 1 << 20
"""Number of sequences whose lengths are sorted, or assigned to padded lengths, at a time."""

BATCHES_COUNTED = 1000
"""Number of batches whose time steps are counted at a time."""

CANDIDATES = 200
"""Number of candidates for padded lengths."""

COMPILATION = 100_000
"""Number of time steps, over all rows of a batch, that take about as long as compiling a layer for
one more length; both grow with the number of layers. Measured on two cores while training four
presets with 32 to 256 rows: 72,000 to 200,000."""


class Sequences:
    """Sequences of different lengths, one after the other in one array.

    Args:
        flat: shape (all steps, ...).
        lengths: shape (n,), int32; their sum is the size of the first axis of `flat`.
    """

    on_disk = False

    def __init__(self, flat: np.ndarray, lengths: np.ndarray):
        self.flat = flat
        self.lengths = lengths
        self.starts = np.cumsum(lengths, dtype=np.int64) - lengths

    @classmethod
    def of(cls, arrays: Iterable[np.ndarray], dtype: str = "int32") -> "Sequences":
        """Concatenates arrays of shape (time, ...)."""
        arrays = [np.asarray(array, dtype) for array in arrays]
        flat = np.concatenate(arrays, out=room_for(arrays))
        return cls(flat, np.array([len(array) for array in arrays], np.int32))

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.flat[self.starts[index] :][: self.lengths[index]]

    def lengths_of(self, chosen: np.ndarray) -> np.ndarray:
        """The lengths of the sequences with these indices, int32."""
        return self.lengths[chosen]

    def pieces(self) -> Iterator[np.ndarray]:
        """Yields `flat` in one or more pieces."""
        yield self.flat

    def padded(self, rows: np.ndarray, longest: int) -> np.ndarray:
        """Selected sequences, padded with zeros: (rows, longest, ...)."""
        return _padded_array(self.flat, self.starts[rows], self.lengths[rows], longest)


def as_tensor(array: np.ndarray) -> Any:
    """A tensor on the CPU with the values of an array, which must not be changed afterwards: its
    own memory if possible, otherwise a copy."""
    if can_share(array):
        return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
    with tf.device("CPU:0"):
        return tf.constant(array)


@dataclass(frozen=True)
class Data:
    """Encoded examples. Subclasses form batches in other ways.

    Attributes:
        inputs: the input sequences; their lengths determine the batches.
        targets: array of shape (n, ...), or sequences with separate lengths, or None. Indices that
            are stored in a smaller type than int32, to save memory, become int32 in batches.
        window: length of the windows that sequences are cut into, with the state carried from one
            to the next; None if sequences are not cut.
        importance: shape (n,), float32: the weight of each example in the training loss; None
            if all are equal. Not to be confused with `Plan.weights`, which marks filler rows.
        further: other inputs of the same examples; each is padded to the longest in the batch.
    """

    inputs: Sequences
    targets: np.ndarray | Sequences | None = None
    window: int | None = None
    importance: np.ndarray | None = None
    further: tuple[Sequences, ...] = ()

    def __len__(self) -> int:
        return len(self.inputs)

    def plan(
        self,
        padding: "Padding",
        settings: TrainingSettings,
        *,
        multiple: int = 1,
        seed: tuple[int, ...] | None = None,
    ) -> "Plan":
        """The batches of an epoch; see `make_plan`."""
        return make_plan(
            self,
            padding,
            settings.batch_size,
            steps_per_batch=settings.batch_steps,
            multiple=multiple,
            seed=seed,
        )

    @property
    def on_disk(self) -> bool:
        """Whether batches read whole inputs from the disk."""
        return self.inputs.on_disk and type(self) is Data and self.window is None

    @property
    def others(self) -> dict[str, np.ndarray]:
        """All arrays of the data except the inputs, by name."""
        arrays: dict[str, np.ndarray] = {}
        if isinstance(self.targets, Sequences):
            arrays |= {"target_flat": self.targets.flat, "target_lengths": self.targets.lengths}
        elif self.targets is not None:
            arrays["targets"] = widened(self.targets)
        if self.importance is not None:
            arrays["importance"] = self.importance
        for number, item in enumerate(self.further, 1):
            arrays |= {f"flat_{number}": item.flat, f"lengths_{number}": item.lengths}
        return arrays

    @cached_property
    def tensors(self) -> dict[str, Any]:
        """The arrays as tensors on the CPU, for a `tf.data` pipeline, and the sequences' starts;
        inputs on disk stay there."""
        kept = self
        if self.on_disk and isinstance(self.targets, np.ndarray):
            kept = replace(self, targets=None)  # they are read with the inputs
        arrays = kept.others
        if not self.on_disk:
            inputs = self.inputs
            arrays |= {"lengths": inputs.lengths, "flat": inputs.flat, "starts": inputs.starts}
        if isinstance(self.targets, Sequences):
            arrays["target_starts"] = self.targets.starts
        for number, item in enumerate(self.further, 1):
            arrays[f"starts_{number}"] = item.starts
        return {name: as_tensor(array) for name, array in arrays.items()}


@dataclass(frozen=True)
class Padding:
    """The lengths to which batches are padded, shortest first.

    Attributes:
        inputs: lengths of inputs.
        targets: lengths of targets; empty if targets are not sequences.
    """

    inputs: list[int]
    targets: list[int]

    def __post_init__(self) -> None:
        if not self.inputs or not all(isinstance(x, list) for x in (self.inputs, self.targets)):
            raise TypeError("padded lengths must be lists, and `inputs` must not be empty")
        for length in (*self.inputs, *self.targets):
            if not isinstance(length, int | np.integer) or not 0 < length < 2**31:
                raise TypeError(f"a padded length must be from 1 to {2**31 - 1}, got {length!r}")

    @classmethod
    def choose(cls, data: Data, max_lengths: int, batch_size: int, *, epochs: int = 1) -> "Padding":
        """The lengths that minimise the time, compilation included; see `choose_lengths`."""
        lengths = [data.inputs.lengths]
        if data.window is not None:
            lengths = [np.minimum(lengths[0], data.window)]
        if isinstance(data.targets, Sequences):
            lengths.append(data.targets.lengths)
        chosen = [
            choose_lengths(length, max_lengths, batch_size, epochs=epochs) for length in lengths
        ]
        return cls(chosen[0], chosen[1] if len(chosen) > 1 else [])


@dataclass(frozen=True)
class Plan:
    """A list of batches.

    Attributes:
        rows: shape (all rows,), int32: the examples of the batches.
        weights: shape (all rows,), uint8: one, or zero for filler rows.
        bounds: shape (steps + 1,), int64: the start of each batch in `rows`, and the end of
            the last one.
        lengths: shape (steps,), int32: the padded length of each batch's inputs.
        target_lengths: shape (steps,), int32: the padded length of each batch's targets.
        size: rows per batch if all batches have the same number, otherwise None.
        length: the padded length of inputs if it is the same for all batches, so that it can be
            static; otherwise None.
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
        """Number of steps per batch, without padding, (steps,), int64: those of the inputs, plus
        those of the targets unless these are aligned with the inputs."""
        targets = data.targets
        more = targets.lengths if isinstance(targets, Sequences) else None
        if more is not None and np.array_equal(more, data.inputs.lengths):
            more = None
        sums = []
        # A few batches at a time: the lengths of all rows would take as much memory as the plan.
        for first in range(0, len(self), BATCHES_COUNTED):
            bounds = self.bounds[first : first + BATCHES_COUNTED + 1]
            part = slice(bounds[0], bounds[-1])
            lengths = self.views["lengths"][part] if "lengths" in self.views else None
            if lengths is None:
                lengths = data.inputs.lengths_of(self.rows[part])
            lengths = np.where(self.weights[part] > 0, lengths, 0).astype(np.int64)
            if more is not None:
                lengths += np.where(self.weights[part] > 0, more[self.rows[part]], 0)
            sums.append(np.add.reduceat(lengths, bounds[:-1] - bounds[0]))
        return np.concatenate([np.zeros(0, np.int64), *sums])

    def since(self, step: int) -> "Plan":
        """The plan without its first steps."""
        return replace(
            self,
            bounds=self.bounds[step:],
            lengths=self.lengths[step:],
            target_lengths=self.target_lengths[step:],
        )

    def shard(self, index: int, count: int) -> "Plan":
        """One worker's share of the plan; every worker makes the same plan.

        Each worker gets some rows of every batch, so all workers have the same number of batches,
        of the same lengths, and together they have all examples. A row belongs to the same worker
        in every batch, so that states can be carried over. Like a plan, a shard resumes
        mid-epoch with `since`.

        Args:
            index: index of the worker, from 0.
            count: number of workers; the number of rows in each batch must be a multiple of it;
                see `multiple` of `make_plan`.

        Raises:
            SeqzooError: there is no such worker, or the rows cannot be divided evenly.
        """
        if not 0 <= index < count:
            raise SeqzooError(f"`index` must be at least 0 and below {count}, got {index}.")
        sizes = np.diff(self.bounds)
        if (sizes % count).any():
            raise SeqzooError(
                f"The number of rows in each batch must be a multiple of the {count} workers, got "
                f"{int(sizes[sizes % count > 0][0])}; make the plan with `multiple`={count}."
            )
        # Rows are interleaved: with blocks, the last worker would get all filler rows of a batch.
        parts = [np.arange(start + index, end, count) for start, end in self._edges()]
        indices = np.concatenate([np.zeros(0, np.int64), *parts])
        return replace(
            self,
            rows=self.rows[indices],
            weights=self.weights[indices],
            bounds=np.concatenate([[0], np.cumsum(sizes // count)]),
            size=None if self.size is None else self.size // count,
            views={name: array[indices] for name, array in self.views.items()},
        )

    def _edges(self) -> Iterator[tuple[int, int]]:
        """The start and the end of each batch in `rows`."""
        return zip(self.bounds[:-1].tolist(), self.bounds[1:].tolist(), strict=True)


def choose_lengths(
    lengths: np.ndarray, max_lengths: int, batch_size: int, *, epochs: int = 1
) -> list[int]:
    """Chooses the padded lengths that minimise the time, compilation included, shortest first.

    Args:
        lengths: lengths of all training sequences.
        max_lengths: maximum number of padded lengths.
        batch_size: rows per batch; a partly filled batch costs as much as a full one.
        epochs: number of passes over all sequences.
    """
    distinct, counts = _distinct(lengths)
    counts = np.cumsum(counts)  # of the sequences up to each length
    picks = np.linspace(0, len(lengths) - 1, min(CANDIDATES, len(lengths))).round().astype(int)
    chosen_ends = np.unique(np.searchsorted(counts, picks, side="right"))
    ends = distinct[chosen_ends]
    # up_to[j]: number of sequences up to the j-th candidate length; up_to[0] is 0.
    up_to = np.concatenate([[0], counts[chosen_ends]])
    batches = -(-(up_to[None, :] - up_to[:, None]) // batch_size)
    cost = np.where(batches > 0, batches * np.concatenate([[0], ends])[None, :], np.inf)
    best = np.full(len(up_to), np.inf)
    best[0] = 0.0
    totals, origins = [], []
    for _ in range(min(max_lengths, len(ends))):
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


def _distinct(lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct lengths in order, and the number of sequences of each.

    Lengths are sorted in pieces, since a sorted copy of all would take as much memory as they do.
    """
    starts = range(0, len(lengths), SORTED_AT_ONCE)
    pieces = [np.unique(lengths[at : at + SORTED_AT_ONCE], return_counts=True) for at in starts]
    values, counts = (np.concatenate(arrays) for arrays in zip(*pieces, strict=True))
    distinct, positions = np.unique(values, return_inverse=True)
    return distinct, np.bincount(positions, counts).astype(np.int64)


def make_plan(
    data: Data,
    padding: Padding,
    batch_size: int,
    *,
    steps_per_batch: int | None = None,
    multiple: int = 1,
    seed: tuple[int, ...] | None = None,
) -> Plan:
    """Groups examples into batches by the padded lengths of their inputs, then of their targets.

    The same arguments give the same plan, and neither the number of batches nor their shapes
    depend on the seed.

    Args:
        data: the examples.
        padding: the lengths that batches are padded to; longer sequences are padded to the longest
            of these lengths, doubled as often as needed.
        batch_size: maximum number of examples in a batch.
        steps_per_batch: maximum number of time steps in a batch, padding included, so that batches
            of long sequences have fewer examples, but at least one. None for no limit.
        multiple: filler rows make the number of rows in a batch a multiple of this. Which examples
            are in a batch does not depend on it.
        seed: random seed for shuffling examples of the same padded length, and then the batches;
            None for no shuffling.
    """
    ends, buckets = _sorted_in(padding.inputs, data.inputs.lengths)
    random = None if seed is None else np.random.Generator(np.random.PCG64(seed))
    target_ends, target_buckets = [0], None
    if isinstance(data.targets, Sequences):
        target_ends, target_buckets = _sorted_in(padding.targets, data.targets.lengths)
    ones = np.ones(-(-batch_size // multiple) * multiple, np.uint8)
    batches: list[tuple[np.ndarray, np.ndarray, int, int]] = []
    for bucket in np.unique(buckets):
        members = np.flatnonzero(buckets == bucket).astype(np.int32)
        if random is not None:
            random.shuffle(members)
        if target_buckets is not None:
            members = members[np.argsort(target_buckets[members], kind="stable")]
        size = batch_size
        if steps_per_batch is not None:
            size = min(size, steps_per_batch // ends[bucket])
        size = max(size, 1)
        filled = -(-size // multiple) * multiple
        for start in range(0, len(members), size):
            selected = members[start : start + size]
            rows, weights = selected, ones[:filled]
            if len(selected) < filled:
                rows = np.concatenate([selected, np.repeat(selected[:1], filled - len(selected))])
                weights = (np.arange(filled) < len(selected)).astype(np.uint8)
            longest = target_ends[0 if target_buckets is None else target_buckets[selected].max()]
            batches.append((rows, weights, ends[bucket], longest))
    if random is not None:
        batches = [batches[index] for index in random.permutation(len(batches))]
    rows, weights, lengths, target_lengths = zip(*batches, strict=True)
    sizes = [len(row) for row in rows]
    return Plan(
        rows=np.concatenate(rows),
        weights=np.concatenate(weights),
        bounds=np.concatenate([[0], np.cumsum(sizes)]),
        lengths=np.array(lengths, np.int32),
        target_lengths=np.array(target_lengths, np.int32),
        size=sizes[0] if len(set(sizes)) == 1 else None,
        length=lengths[0] if len(set(lengths)) == 1 else None,
    )


def join_plans(plans: Sequence[Plan]) -> Plan:
    """The batches of several plans of the same data, one plan after the other."""
    counts = [0, *np.cumsum([len(plan.rows) for plan in plans])]
    bounds = [plan.bounds[:-1] + start for plan, start in zip(plans, counts, strict=False)]
    sizes, lengths = {plan.size for plan in plans}, {plan.length for plan in plans}
    return Plan(
        rows=np.concatenate([plan.rows for plan in plans]),
        weights=np.concatenate([plan.weights for plan in plans]),
        bounds=np.concatenate([*bounds, counts[-1:]]),
        lengths=np.concatenate([plan.lengths for plan in plans]),
        target_lengths=np.concatenate([plan.target_lengths for plan in plans]),
        size=sizes.pop() if len(sizes) == 1 else None,
        length=lengths.pop() if len(lengths) == 1 else None,
        views={
            name: np.concatenate([plan.views[name] for plan in plans]) for name in plans[0].views
        },
    )


def _sorted_in(padded: Sequence[int], lengths: np.ndarray) -> tuple[list[int], np.ndarray]:
    """The padded lengths, extended for longer sequences, and which of them each sequence has."""
    padded = list(padded)
    while padded[-1] < lengths.max():
        padded.append(2 * padded[-1])
    pieces = range(0, len(lengths), SORTED_AT_ONCE)
    indices = [
        np.searchsorted(padded, lengths[at : at + SORTED_AT_ONCE]).astype(np.int16) for at in pieces
    ]
    return padded, np.concatenate(indices)


def batches(data: Data, plan: Plan) -> Any:
    """A `tf.data.Dataset` of a plan's batches.

    Each batch is a dictionary: "values" (batch, time, ...), zero after a sequence's end; "lengths"
    (batch,), int32; "weights" (batch,), float32; "rows" (batch,), int32, the indices of the
    examples; and, if the data has them, "targets" (batch, ...), "target_lengths" (batch,) if
    targets are sequences, "importance" (batch,), and "values_1" and "lengths_1" of the first
    further input, and so on; also the entries of `Plan.views` except "starts" and "lengths".
    """
    tensors = data.tensors
    if data.on_disk:
        return _batches_on_disk(data, plan)
    with tf.device("CPU:0"):
        rows, weights = tf.constant(plan.rows), tf.constant(plan.weights, tf.float32)
        views = {name: tf.constant(array) for name, array in plan.views.items()}

    def gather(start, stop, longest, longest_target):
        selected = rows[start:stop]
        selected.set_shape([plan.size])
        batch = {"weights": tf.ensure_shape(weights[start:stop], [plan.size]), "rows": selected}
        parts = {
            name: tf.ensure_shape(array[start:stop], [plan.size]) for name, array in views.items()
        }
        starts, lengths = parts.pop("starts", None), parts.pop("lengths", None)
        batch |= parts
        longest = longest if plan.length is None else plan.length
        batch["values"], batch["lengths"] = _padded(
            tensors["flat"],
            tf.gather(tensors["starts"], selected) if starts is None else starts,
            tf.gather(tensors["lengths"], selected) if lengths is None else lengths,
            longest,
        )
        if "targets" in tensors:
            batch["targets"] = tf.gather(tensors["targets"], selected)
        elif "target_flat" in tensors:
            batch["targets"], batch["target_lengths"] = _padded(
                tensors["target_flat"],
                tf.gather(tensors["target_starts"], selected) if starts is None else starts,
                tf.gather(tensors["target_lengths"], selected) if lengths is None else lengths,
                longest_target,
            )
        if "importance" in tensors:
            batch["importance"] = tf.gather(tensors["importance"], selected)
        for number in range(1, len(data.further) + 1):
            ends = tf.gather(tensors[f"lengths_{number}"], selected)
            batch[f"values_{number}"], batch[f"lengths_{number}"] = _padded(
                tensors[f"flat_{number}"],
                tf.gather(tensors[f"starts_{number}"], selected),
                ends,
                tf.maximum(tf.reduce_max(ends), 1),
            )
        return batch

    return _mapped(plan, gather)


def _mapped(plan: Plan, gather: Any) -> Any:
    """The data set of the batches that `gather` makes from their bounds and lengths."""
    steps = (plan.bounds[:-1], plan.bounds[1:], plan.lengths, plan.target_lengths)
    dataset = tf.data.Dataset.from_tensor_slices(steps)
    # AutoGraph would take 0.3 s to convert it.
    plain = tf.autograph.experimental.do_not_convert(gather)
    dataset = dataset.map(plain, num_parallel_calls=2, deterministic=True).prefetch(4)
    # There is nothing to tune, and the thread that tunes sleeps twice as long each time, up to a
    # minute; TensorFlow sometimes waits for it to wake up when the last batch has been read.
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def _batches_on_disk(data: Data, plan: Plan) -> Any:
    """The batches of a plan for examples whose inputs are on disk. Rows are read directly from the
    arrays, which are not copied into constants."""
    tensors = data.tensors
    targets = data.targets if isinstance(data.targets, np.ndarray) else None

    def read(start, stop, longest):
        rows = plan.rows[start:stop]
        weights = plan.weights[start:stop].astype(np.float32)
        results = [rows, weights, data.inputs.lengths_of(rows)]
        results.append(data.inputs.padded(rows, longest))
        return results if targets is None else [*results, widened(targets[rows])]

    def gather(start, stop, longest, longest_target):
        longest = longest if plan.length is None else plan.length
        types = [tf.int32, tf.float32, tf.int32, tf.int32]
        types += [] if targets is None else [tf.as_dtype(widened(targets[:0]).dtype)]
        rows, weights, ends, values, *others = tf.numpy_function(
            read, [start, stop, longest], types
        )
        rows = tf.ensure_shape(rows, [plan.size])
        batch = {"weights": tf.ensure_shape(weights, [plan.size]), "rows": rows}
        batch["values"] = tf.ensure_shape(values, [plan.size, plan.length])
        batch["lengths"] = tf.ensure_shape(ends, [plan.size])
        if targets is not None:
            batch["targets"] = tf.ensure_shape(others[0], [plan.size, *targets.shape[1:]])
        elif "target_flat" in tensors:
            batch["targets"], batch["target_lengths"] = _padded(
                tensors["target_flat"],
                tf.gather(tensors["target_starts"], rows),
                tf.gather(tensors["target_lengths"], rows),
                longest_target,
            )
        if "importance" in tensors:
            batch["importance"] = tf.gather(tensors["importance"], rows)
        return batch

    return _mapped(plan, gather)


def _padded(flat: Any, starts: Any, lengths: Any, longest: Any) -> tuple[Any, Any]:
    """Gathers sequences, padded with zeros, (rows, longest, ...), and their lengths (rows,)."""
    steps = tf.range(longest)
    # Positions beyond the end of a sequence read its last step, which the mask then removes.
    inside = tf.minimum(steps[None, :], tf.maximum(lengths[:, None] - 1, 0))
    last = tf.shape(flat, tf.int64)[0] - 1
    values = tf.gather(flat, tf.minimum(starts[:, None] + tf.cast(inside, tf.int64), last))
    mask = steps[None, :] < lengths[:, None]
    mask = tf.reshape(mask, tf.concat([tf.shape(mask), [1] * (values.shape.rank - 2)], 0))
    return tf.where(mask, values, tf.zeros((), values.dtype)), lengths


def cut_steps(
    batch: dict[str, Any], start: Any, stop: Any, size: int, names: Sequence[str]
) -> dict[str, Any]:
    """Cuts a range of time steps out of a batch.

    Args:
        batch: a batch from `batches`.
        start: the first step.
        stop: the step after the last one; sequences are cut off there.
        size: number of time steps in the result, which is padded with zeros.
        names: names of the tensors with a time axis, (batch, time, ...).
    """
    part = dict(batch)
    for name in names:
        values = batch[name]
        values = tf.pad(values, [[0, 0], [0, size]] + [[0, 0]] * (values.shape.rank - 2))
        begin = tf.minimum(start, tf.shape(batch[name])[1])
        cut = values[:, begin : begin + size]
        part[name] = tf.ensure_shape(cut, [None, size, *values.shape[2:]])
    part["lengths"] = tf.clip_by_value(tf.minimum(batch["lengths"], stop) - start, 0, size)
    return part


def array_batches(data: Data, plan: Plan, *, trim: bool) -> Iterator[dict[str, np.ndarray]]:
    """Yields the same batches as `batches`, as arrays that are made on demand.

    A `tf.data` pipeline takes 40 to 100 ms to trace and start, which does not matter in training
    but does for a single prediction.

    Args:
        data: the examples.
        plan: the batches.
        trim: whether to pad only to the longest sequence of a batch and to leave out filler rows,
            for functions that need not be compiled for each shape.
    """
    inputs, targets, views = data.inputs, data.targets, dict(plan.views)
    if "starts" in views:  # parts of examples, and the same parts of targets
        starts, lengths = views.pop("starts"), views.pop("lengths")
        target_starts, target_lengths = starts, lengths
    else:
        starts, lengths = None, inputs.lengths_of(plan.rows)
        if isinstance(targets, Sequences):
            target_starts, target_lengths = targets.starts[plan.rows], targets.lengths[plan.rows]
    for step, (start, stop) in enumerate(zip(plan.bounds[:-1], plan.bounds[1:], strict=True)):
        selected = np.arange(start, stop)
        if trim:
            selected = selected[plan.weights[selected] > 0]
        weights = plan.weights[selected].astype(np.float32)
        batch = {"weights": weights, "rows": plan.rows[selected]}
        batch |= {name: array[selected] for name, array in views.items()}

        ends = lengths[selected]
        longest = ends.max(initial=1) if trim else plan.lengths[step]
        if starts is None:
            batch["values"] = inputs.padded(batch["rows"], longest)
        else:
            batch["values"] = _padded_array(inputs.flat, starts[selected], ends, longest)
        batch["lengths"] = ends
        if isinstance(targets, Sequences):
            ends = target_lengths[selected]
            longest = ends.max(initial=1) if trim else plan.target_lengths[step]
            batch["targets"] = _padded_array(targets.flat, target_starts[selected], ends, longest)
            batch["target_lengths"] = ends
        elif targets is not None:
            batch["targets"] = widened(targets[batch["rows"]])
        for number, further in enumerate(data.further, 1):
            ends = further.lengths[batch["rows"]]
            starts_of = further.starts[batch["rows"]]
            longest = ends.max(initial=1)
            padded = _padded_array(further.flat, starts_of, ends, longest)
            batch |= {f"values_{number}": padded, f"lengths_{number}": ends}
        yield batch


def widened(indices: np.ndarray) -> np.ndarray:
    """Unsigned integers as int32; other arrays unchanged."""
    return indices.astype(np.int32) if indices.dtype.kind == "u" else indices


def _padded_array(
    flat: np.ndarray, starts: np.ndarray, lengths: np.ndarray, longest: int
) -> np.ndarray:
    """Selected sequences, (rows, longest, ...), padded with zeros."""
    steps = np.arange(longest)
    inside = steps < lengths[:, None]
    values = np.zeros((*inside.shape, *flat.shape[1:]), flat.dtype)
    values[inside] = flat[(starts[:, None] + steps)[inside]]
    return values
