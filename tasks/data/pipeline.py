"""Batches of a plan, as a `tf.data` pipeline."""

from typing import Any

import tensorflow as tf

from seqzoo.tasks.data.batch_plans import Plan
from seqzoo.tasks.data.sequences import Data


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
    # Positions behind a sequence's end read its last step, which the mask then blanks.
    inside = tf.minimum(steps[None, :], tf.maximum(lengths[:, None] - 1, 0))
    last = tf.shape(flat, tf.int64)[0] - 1
    values = tf.gather(flat, tf.minimum(starts[:, None] + tf.cast(inside, tf.int64), last))
    mask = steps[None, :] < lengths[:, None]
    mask = tf.reshape(mask, tf.concat([tf.shape(mask), [1] * (values.shape.rank - 2)], 0))
    return tf.where(mask, values, tf.zeros((), values.dtype)), lengths
