"""Gradients of embeddings, as the rows that a batch looks up instead of the whole table."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

LARGE = 2**18
"""Minimum number of elements of an embedding for which replicas exchange only rows of a gradient.
Smaller gradients are exchanged with the dense ones, which costs less than separate messages."""


def unique_rows(gradient: tf.IndexedSlices) -> tf.IndexedSlices:
    """Sums the parts of a sparse gradient that belong to the same row, so that each row occurs
    once.

    TensorFlow lists a row once for each lookup. The parts of a row are summed in the order of the
    lookups, so the result is the same in every run. Rows whose sum is zero, such as those of
    padding, are left out.

    Args:
        gradient: a sparse gradient, whose rows may be repeated.
    """
    rows, positions = tf.unique(gradient.indices)
    sums = tf.math.unsorted_segment_sum(gradient.values, positions, tf.size(rows))
    return _without_zeros(sums, rows, gradient.dense_shape)


def nonzero_rows(gradient: tf.Tensor) -> tf.IndexedSlices:
    """The rows of a dense gradient that are not zero."""
    shape = tf.shape(gradient)
    return _without_zeros(gradient, tf.range(shape[0]), shape)


def sum_over_replicas(gradients: Sequence[Any]) -> list[Any]:
    """Sums gradients across all replicas, in the same order in each of them.

    For large embeddings, only rows that have a gradient are exchanged, so a row of the result may
    occur up to once per replica. In all other sparse gradients, each row occurs once.

    Args:
        gradients: the gradients of this replica, in its replica context.
    """
    sparse = [isinstance(gradient, tf.IndexedSlices) for gradient in gradients]
    exchanged = [
        unique_rows(gradient)
        if rows and gradient.shape.num_elements() >= LARGE
        else tf.convert_to_tensor(gradient)
        for gradient, rows in zip(gradients, sparse, strict=True)
    ]
    context: Any = tf.distribute.get_replica_context()
    sums = context.all_reduce(tf.distribute.ReduceOp.SUM, exchanged)
    return [
        nonzero_rows(item) if rows and not isinstance(item, tf.IndexedSlices) else item
        for item, rows in zip(sums, sparse, strict=True)
    ]


def multiply(gradient: Any, factor: Any) -> Any:
    """A gradient multiplied by a scalar."""
    if isinstance(gradient, tf.IndexedSlices):
        values = gradient.values * tf.cast(factor, gradient.values.dtype)
        return tf.IndexedSlices(values, gradient.indices, gradient.dense_shape)
    return gradient * tf.cast(factor, gradient.dtype)


def values_of(gradient: Any) -> tf.Tensor:
    """The values of a gradient, without the rows of zeros that a sparse one leaves out."""
    return gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient


def _without_zeros(values: tf.Tensor, rows: tf.Tensor, shape: Any) -> tf.IndexedSlices:
    # Rows with NaN are kept, since NaN != 0, so that the check for NaN detects them.
    nonzero = tf.reduce_any(values != 0, axis=list(range(1, values.shape.rank)))
    return tf.IndexedSlices(tf.boolean_mask(values, nonzero), tf.boolean_mask(rows, nonzero), shape)
