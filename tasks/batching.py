"""Which examples make a batch, and to what length it is padded."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

CANDIDATES = 200
"""Lengths that are considered as padded lengths."""

COMPILATION = 15_000
"""Time steps of a batch that take about as long as to compile a layer for one more length; both
grow alike with the number of layers. Measured on two cores with 128 units and 64 rows."""


class Sequences:
    """Sequences of different lengths, one after the other in one array.

    Args:
        flat: shape (all steps, ...).
        lengths: shape (n,), int32; they sum to the first axis of `flat`.
    """

    def __init__(self, flat: np.ndarray, lengths: np.ndarray):
        self.flat = flat
        self.lengths = lengths
        self.starts = np.cumsum(lengths, dtype=np.int64) - lengths

    def __len__(self) -> int:
        return len(self.lengths)


@dataclass(frozen=True)
class Data:
    """Examples as a model takes them.

    Attributes:
        inputs: the sequences.
        targets: array of shape (n, ...), or None.
    """

    inputs: Sequences
    targets: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.inputs)

    @cached_property
    def tensors(self) -> tuple:
        """The arrays where a `tf.data` pipeline reads them: flat, starts, lengths, targets."""
        arrays = (self.inputs.flat, self.inputs.starts, self.inputs.lengths, self.targets)
        with tf.device("CPU:0"):
            return tuple(None if array is None else tf.constant(array) for array in arrays)


@dataclass(frozen=True)
class Plan:
    """Batches, all of one size.

    Attributes:
        indices: shape (steps, batch), int32; a last batch is filled up with rows of weight zero.
        weights: shape (steps, batch), float32: one, or zero for a row that fills up.
        lengths: shape (steps,), int32: what each batch is padded to.
        single: whether all batches of the epoch have one length, which can then be a static one.
    """

    indices: np.ndarray
    weights: np.ndarray
    lengths: np.ndarray
    single: bool

    def __len__(self) -> int:
        return len(self.lengths)

    def since(self, step: int) -> "Plan":
        """The plan without its first steps."""
        return Plan(self.indices[step:], self.weights[step:], self.lengths[step:], self.single)


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
    count = 1 + int(np.argmin(epochs * np.array(totals) + COMPILATION * np.arange(len(totals))))
    chosen, at = [], len(ends)
    for step in reversed(range(count)):
        chosen.append(int(ends[at - 1]))
        at = origins[step][at]
    return chosen[::-1]


def make_plan(
    lengths: np.ndarray,
    padded: Sequence[int],
    batch_size: int,
    *,
    seed: tuple[int, ...] | None = None,
) -> Plan:
    """Sorts sequences into batches by length.

    The same arguments give the same plan, and the number of batches does not depend on the seed.

    Args:
        lengths: of all sequences.
        padded: what `choose_lengths` gave; longer sequences are padded to the longest of these,
            doubled as often as needed.
        batch_size: rows in a batch.
        seed: shuffles examples within a padded length, and then the batches; None for neither.
    """
    padded = list(padded)
    while padded[-1] < lengths.max():
        padded.append(2 * padded[-1])
    buckets = np.searchsorted(padded, lengths)
    random = None if seed is None else np.random.Generator(np.random.PCG64(seed))
    indices, weights, ends = [], [], []
    for bucket in np.unique(buckets):
        members = np.flatnonzero(buckets == bucket)
        if random is not None:
            random.shuffle(members)
        count = -(-len(members) // batch_size)
        weight = np.zeros(count * batch_size, np.float32)
        weight[: len(members)] = 1.0
        filled = np.concatenate([members, np.repeat(members[:1], len(weight) - len(members))])
        indices.append(filled.astype(np.int32).reshape(count, batch_size))
        weights.append(weight.reshape(count, batch_size))
        ends.append(np.full(count, padded[bucket], np.int32))
    parts = [np.concatenate(part) for part in (indices, weights, ends)]
    if random is not None:
        order = random.permutation(len(parts[0]))
        parts = [part[order] for part in parts]
    return Plan(*parts, single=len(ends) == 1)


def batches(data: Data, plan: Plan) -> Any:
    """A `tf.data.Dataset` of a plan's batches.

    Each is a dictionary: "values" (batch, time, ...), zero behind a sequence's end; "lengths"
    (batch,), int32; "weights" (batch,), float32; and "targets" (batch, ...) where there are any.
    """
    flat, starts, lengths, targets = data.tensors
    fixed = int(plan.lengths[0]) if plan.single and len(plan) else None

    def gather(rows, weights, longest):
        length = tf.gather(lengths, rows)
        steps = tf.range(longest if fixed is None else fixed)
        # Positions behind a sequence's end read its last step, which the mask then blanks.
        inside = tf.minimum(steps[None, :], length[:, None] - 1)
        at = tf.gather(starts, rows)[:, None] + tf.cast(inside, tf.int64)
        values = tf.gather(flat, at)
        mask = steps[None, :] < length[:, None]
        mask = tf.reshape(mask, tf.concat([tf.shape(mask), [1] * (values.shape.rank - 2)], 0))
        batch = {
            "values": tf.where(mask, values, tf.zeros((), values.dtype)),
            "lengths": length,
            "weights": weights,
        }
        if targets is not None:
            batch["targets"] = tf.gather(targets, rows)
        return batch

    dataset = tf.data.Dataset.from_tensor_slices((plan.indices, plan.weights, plan.lengths))
    return dataset.map(gather, num_parallel_calls=2, deterministic=True).prefetch(4)
