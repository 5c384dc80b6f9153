"""Batches of a plan: as a `tf.data` pipeline for training, as arrays for predictions."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from seqzoo.tasks.data.batch_plans import Plan
from seqzoo.tasks.data.sequences import Data, Sequences


def batches(data: Data, plan: Plan) -> Any:
    """A `tf.data.Dataset` of a plan's batches.

    Each is a dictionary: "values" (batch, time, ...), zero behind a sequence's end; "lengths"
    (batch,), int32; "weights" (batch,), float32; and where there are any, "targets" (batch, ...),
    with "target_lengths" (batch,) where these are sequences; "rows" (batch,), int32, which examples
    they are; and all that the plan says of parts of examples, see `Plan.views`.
    """
    tensors = data.tensors
    with tf.device("CPU:0"):
        rows, weights = tf.constant(plan.rows), tf.constant(plan.weights)
        views = {name: tf.constant(array) for name, array in plan.views.items()}

    def gather(start, stop, longest, longest_target):
        own = rows[start:stop]
        own.set_shape([plan.size])
        batch = {"weights": tf.ensure_shape(weights[start:stop], [plan.size]), "rows": own}
        parts = {
            name: tf.ensure_shape(array[start:stop], [plan.size]) for name, array in views.items()
        }
        starts, lengths = parts.pop("starts", None), parts.pop("lengths", None)
        batch |= parts
        batch["values"], batch["lengths"] = _padded(
            tensors["flat"],
            tf.gather(tensors["starts"], own) if starts is None else starts,
            tf.gather(tensors["lengths"], own) if lengths is None else lengths,
            longest if plan.length is None else plan.length,
        )
        if "targets" in tensors:
            batch["targets"] = tf.gather(tensors["targets"], own)
        elif "target_flat" in tensors:
            batch["targets"], batch["target_lengths"] = _padded(
                tensors["target_flat"],
                tf.gather(tensors["target_starts"], own) if starts is None else starts,
                tf.gather(tensors["target_lengths"], own) if lengths is None else lengths,
                longest_target,
            )
        return batch

    steps = (plan.bounds[:-1], plan.bounds[1:], plan.lengths, plan.target_lengths)
    dataset = tf.data.Dataset.from_tensor_slices(steps)
    return dataset.map(gather, num_parallel_calls=2, deterministic=True).prefetch(4)


def _padded(flat: Any, starts: Any, lengths: Any, longest: Any) -> tuple[Any, Any]:
    """Some sequences, (rows, longest, ...), and their lengths (rows,)."""
    steps = tf.range(longest)
    # Positions beyond the end of a sequence read its last step, which the mask then removes.
    inside = tf.minimum(steps[None, :], tf.maximum(lengths[:, None] - 1, 0))
    last = tf.shape(flat, tf.int64)[0] - 1
    values = tf.gather(flat, tf.minimum(starts[:, None] + tf.cast(inside, tf.int64), last))
    mask = steps[None, :] < lengths[:, None]
    mask = tf.reshape(mask, tf.concat([tf.shape(mask), [1] * (values.shape.rank - 2)], 0))
    return tf.where(mask, values, tf.zeros((), values.dtype)), lengths


def array_batches(data: Data, plan: Plan, *, trim: bool) -> Iterator[dict[str, np.ndarray]]:
    """The same batches as arrays, made when they are asked for.

    A `tf.data` pipeline takes 40 to 100 ms to trace and to start, which a training does not feel,
    and an answer does.

    Args:
        data: the examples.
        plan: their batches.
        trim: pads only to the longest sequence of a batch and leaves out rows that only fill up,
            for a graph that takes any shape at no cost.
    """
    inputs, targets, views = data.inputs, data.targets, dict(plan.views)
    if "starts" in views:  # parts of examples, and the same parts of targets
        starts, lengths = views.pop("starts"), views.pop("lengths")
        target_starts, target_lengths = starts, lengths
    else:
        starts, lengths = inputs.starts[plan.rows], inputs.lengths[plan.rows]
        if isinstance(targets, Sequences):
            target_starts, target_lengths = targets.starts[plan.rows], targets.lengths[plan.rows]
    for step, (start, stop) in enumerate(zip(plan.bounds[:-1], plan.bounds[1:], strict=True)):
        own = np.arange(start, stop)
        if trim:
            own = own[plan.weights[own] > 0]
        batch = {"weights": plan.weights[own], "rows": plan.rows[own]}
        batch |= {name: array[own] for name, array in views.items()}

        ends = lengths[own]
        longest = ends.max(initial=1) if trim else plan.lengths[step]
        batch["values"] = _padded_array(inputs.flat, starts[own], ends, longest)
        batch["lengths"] = ends
        if isinstance(targets, Sequences):
            ends = target_lengths[own]
            longest = ends.max(initial=1) if trim else plan.target_lengths[step]
            batch["targets"] = _padded_array(targets.flat, target_starts[own], ends, longest)
            batch["target_lengths"] = ends
        elif targets is not None:
            batch["targets"] = targets[batch["rows"]]
        yield batch


def _padded_array(
    flat: np.ndarray, starts: np.ndarray, lengths: np.ndarray, longest: int
) -> np.ndarray:
    """Selected sequences, (rows, longest, ...), padded with zeros."""
    steps = np.arange(longest)
    inside = steps < lengths[:, None]
    values = np.zeros((*inside.shape, *flat.shape[1:]), flat.dtype)
    values[inside] = flat[(starts[:, None] + steps)[inside]]
    return values
