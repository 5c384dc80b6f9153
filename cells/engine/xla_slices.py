"""Reads and writes of single steps, and loops over steps, for programs that XLA compiles.

Within `portable`, only operations that also run without XLA are used.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from seqzoo.cells.engine.portability import within_portable
from seqzoo.cells.engine.private_tensorflow import dynamic_update_slice


def size_of(tensor: Any, axis: int) -> Any:
    """The size of an axis: static if it is known, otherwise from two operations, not the five of
    `tf.shape(tensor)[axis]`, which are traced with each layer."""
    return tensor.shape[axis] or tf.unstack(tf.shape(tensor))[axis]


def read_step(array: Any, t: Any) -> Any:
    """array[t].

    XLA would compile a program with `tf.slice` again for each value of `t`, if `t` depends on an
    argument of the program, such as the number of steps; `tf.gather` becomes the same instruction.
    """
    if not within_portable():
        return tf.gather(array, t)
    rest = tf.shape(array)[1:]
    start = tf.stack([t] + [0] * (array.shape.rank - 1))
    part = tf.slice(array, start, tf.concat([[1], rest], 0))
    return tf.ensure_shape(tf.reshape(part, rest), array.shape[1:])


def write_step(array: Any, part: Any, t: Any) -> Any:
    """`array` after array[t] = part."""
    if within_portable():
        return tf.tensor_scatter_nd_update(array, [[t]], part[None])
    start = tf.stack([t] + [0] * part.shape.rank)
    return dynamic_update_slice(array, tf.expand_dims(part, 0), start)


def read_row(array: Any, t: Any) -> Any:
    """array[:, t]; `t` may depend on an argument of the program, as in `read_step`."""
    return tf.gather(array, t, axis=1)


def write_row(array: Any, part: Any, t: Any) -> Any:
    """`array`, with three axes, after array[:, t] = part."""
    return dynamic_update_slice(array, part[:, None], tf.stack([0, t, 0]))


def read_at(array: Any, t: Any, axis: int) -> Any:
    """The slice at index `t` of an axis, without that axis."""
    shape = tf.unstack(tf.shape(array))
    start = [t if k == axis else 0 for k in range(len(shape))]
    rest = [size for k, size in enumerate(shape) if k != axis]
    sizes = [1 if k == axis else size for k, size in enumerate(shape)]
    return tf.reshape(tf.slice(array, tf.stack(start), tf.stack(sizes)), rest)


def write_at(array: Any, part: Any, t: Any, axis: int) -> Any:
    """`array` with its slice at index `t` of an axis replaced by `part`."""
    start = [t if k == axis else 0 for k in range(array.shape.rank)]
    return dynamic_update_slice(array, tf.expand_dims(part, axis), tf.stack(start))


def write_columns(array: Any, part: Any, start: Any) -> Any:
    """`array`, a matrix, with its columns from `start` on replaced by `part`."""
    return dynamic_update_slice(array, part, tf.stack([0, start]))


def pad_time(sequences: Any, length: Any, axis: int = 0) -> Any:
    """Pads the time axis with zeros to `length` steps."""
    if isinstance(length, int) and length == sequences.shape[axis]:
        return sequences
    shape = sequences.shape.as_list()
    after = np.zeros([len(shape), 2], "int32")
    after[axis, 1] = 1
    padded = tf.pad(sequences, after * (length - size_of(sequences, axis)))
    shape[axis] = length if isinstance(length, int) else None
    padded.set_shape(shape)
    return padded


def time_major(sequences: Any, length: Any = None) -> Any:
    """Swaps the batch and time axes; with `length`, the result is padded to that many steps."""
    swapped = tf.transpose(sequences, [1, 0, *range(2, sequences.shape.rank)])
    return swapped if length is None else pad_time(swapped, length)


def while_steps(steps: Any, body: Callable, *variables: Any) -> list:
    """Runs body(t, *variables) -> (t + 1, *variables) `steps` times, starting at t = 0."""
    shapes = tf.nest.map_structure(lambda v: tf.TensorShape([None] * v.shape.rank), variables)
    _, *last = tf.while_loop(
        lambda t, *_: t < steps, body, [0, *variables], [tf.TensorShape([]), *shapes]
    )
    return last
