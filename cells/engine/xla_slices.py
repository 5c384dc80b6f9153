"""Time axes: reading and writing a step, looping over steps, for programs of XLA.

Exported programs contain only operations that also run without XLA.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from seqzoo.cells.engine.portability import within_portable
from seqzoo.cells.engine.private_tensorflow import dynamic_slice, dynamic_update_slice


def read_step(whole: Any, t: Any) -> Any:
    """whole[t]."""
    rest = tf.shape(whole)[1:]
    start = tf.stack([t] + [0] * (whole.shape.rank - 1))
    slice_at = tf.slice if within_portable() else dynamic_slice
    part = slice_at(whole, start, tf.concat([[1], rest], 0))
    return tf.ensure_shape(tf.reshape(part, rest), whole.shape[1:])


def write_step(whole: Any, part: Any, t: Any) -> Any:
    """`whole` with whole[t] = part."""
    if within_portable():
        return tf.tensor_scatter_nd_update(whole, [[t]], part[None])
    return dynamic_update_slice(whole, part[None], tf.stack([t] + [0] * part.shape.rank))


def read_row(whole: Any, t: Any) -> Any:
    """whole[:, t]; whole has three axes."""
    batch, _, size = tf.unstack(tf.shape(whole))
    part = dynamic_slice(whole, tf.stack([0, t, 0]), tf.stack([batch, 1, size]))
    return tf.ensure_shape(tf.reshape(part, [batch, size]), [whole.shape[0], whole.shape[2]])


def write_row(whole: Any, part: Any, t: Any) -> Any:
    """`whole` with whole[:, t] = part; whole has three axes."""
    return dynamic_update_slice(whole, part[:, None], tf.stack([0, t, 0]))


def read_at(whole: Any, t: Any, axis: int) -> Any:
    """`whole` at `t` of an axis, without that axis."""
    shape = tf.unstack(tf.shape(whole))
    start = [t if k == axis else 0 for k in range(len(shape))]
    rest = [size for k, size in enumerate(shape) if k != axis]
    sizes = [1 if k == axis else size for k, size in enumerate(shape)]
    return tf.reshape(dynamic_slice(whole, tf.stack(start), tf.stack(sizes)), rest)


def write_at(whole: Any, part: Any, t: Any, axis: int) -> Any:
    """`whole` with `part` at `t` of an axis."""
    start = [t if k == axis else 0 for k in range(whole.shape.rank)]
    return dynamic_update_slice(whole, tf.expand_dims(part, axis), tf.stack(start))


def write_columns(whole: Any, part: Any, start: Any) -> Any:
    """`whole` with the matrix `part` as its columns from `start` on."""
    return dynamic_update_slice(whole, part, tf.stack([0, start]))


def time_major(sequences: Any) -> Any:
    """Swaps the batch and time axes."""
    return tf.transpose(sequences, [1, 0, *range(2, sequences.shape.rank)])


def while_steps(steps: Any, body: Callable, *variables: Any) -> list:
    """Calls body(t, *variables) -> (t + 1, *variables) `steps` times, from t = 0."""
    shapes = tf.nest.map_structure(lambda v: tf.TensorShape([None] * v.shape.rank), variables)
    _, *last = tf.while_loop(
        lambda t, *_: t < steps, body, [0, *variables], [tf.TensorShape([]), *shapes]
    )
    return last
