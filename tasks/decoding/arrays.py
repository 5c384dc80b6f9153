"""What the decoding loops do with tensors: write one step, repeat rows, pick slots."""

from typing import Any

import tensorflow as tf


def write(whole: Any, part: Any, t: Any) -> Any:
    """(..., time) with (...) at step t; a step behind the last one is not written."""
    return tf.where(tf.range(tf.shape(whole)[-1]) == t, part[..., None], whole)


def pick(values: Any, slots: Any) -> Any:
    """(batch, n, ...) and indices (batch, m) -> (batch, m, ...)."""
    return tf.gather(values, slots, axis=1, batch_dims=1)


def repeat(values: Any, times: int) -> Any:
    """A nest of (batch, ...) -> (batch * times, ...), the copies of a row side by side."""
    return tf.nest.map_structure(lambda value: tf.repeat(value, times, axis=0), values)


def free(values: Any) -> Any:
    """Shapes of a nest of loop variables, all of whose axes are free."""
    return tf.nest.map_structure(lambda value: tf.TensorShape([None] * value.shape.rank), values)


def free_rows(states: Any) -> Any:
    """Shapes of a nest of states, whose first axis is free."""
    return tf.nest.map_structure(lambda value: tf.TensorShape([None, *value.shape[1:]]), states)


def largest(values: Any) -> Any:
    """The largest of a vector of numbers that are at least 0; 0 where it is empty."""
    return tf.maximum(tf.reduce_max(values), 0)
