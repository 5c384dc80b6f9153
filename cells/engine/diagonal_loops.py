"""The two time loops of a linear, diagonal, complex recurrence; XLA compiles them.

They compute only elementwise functions: the inputs are projected before the loop, and the outputs
are computed from all states after it. product_loops.py documents the arguments and results; here
the only state is (batch, 2 * pairs), real parts first.
"""

from typing import Any

import tensorflow as tf

from seqzoo.cells.diagonal import DiagonalCell
from seqzoo.cells.engine.portability import within_portable
from seqzoo.cells.engine.xla_slices import (
    pad_time,
    read_row,
    read_step,
    time_major,
    while_steps,
    write_row,
    write_step,
)


def tensors_of(cell: DiagonalCell, x: Any) -> dict:
    """The inputs of the loops: the drive, (time, batch, 2 * pairs), and the coefficients."""
    coefficients = [tf.convert_to_tensor(each) for each in cell.exact_coefficients()]
    return {"x": tf.cast(cell.drive(x), cell.compute_dtype), "coefficients": coefficients}


def output_shape(cell: DiagonalCell) -> tuple[int]:
    """Shape of the state whose trajectory is returned, without the batch axis."""
    return (2 * cell.pairs,)


def upstream(d: Any, length: Any) -> Any:
    """Gradients of the trajectory, (batch, length, 2 * pairs), as `backward` expects them."""
    return pad_time(d, length, axis=1)


def forward(cell: DiagonalCell, tensors: dict, sequences: bool, keep: bool) -> dict:
    """Runs the recurrence; "trajectory" is the state after each step.

    Its shape is (batch, time, 2 * pairs), as the readout expects, because transposing it would take
    as long as the loop.
    """
    a, b = tensors["coefficients"]
    length, batch, size = tf.unstack(tf.shape(tensors["x"]))
    # Exported programs can write only along the first axis.
    write = write_step if within_portable() else write_row

    def read(t):
        t = tf.minimum(t, length - 1)
        return {name: read_step(tensors[name], t) for name in ("x", "mask") if name in tensors}

    def body(t, slices, real, imaginary, written):
        following = read(t + 1)
        drive_real, drive_imaginary = tf.split(tf.cast(slices["x"], a.dtype), 2, axis=1)
        new_real = a * real - b * imaginary + drive_real
        new_imaginary = b * real + a * imaginary + drive_imaginary
        if "mask" in slices:
            live = slices["mask"][:, None]
            new_real = tf.where(live, new_real, real)
            new_imaginary = tf.where(live, new_imaginary, imaginary)
        state = tf.cast(tf.concat([new_real, new_imaginary], 1), state_type)
        written = [write(array, state, t) for array in written]
        return t + 1, following, new_real, new_imaginary, written

    (state,) = tensors["states"]
    state_type = state.dtype
    written = []
    if sequences or keep:
        axes = [length, batch] if within_portable() else [batch, length]
        written = [tf.zeros([*axes, size], state_type)]
    parts = tf.split(tf.cast(state, a.dtype), 2, axis=1)
    _, real, imaginary, written = while_steps(tensors["steps"], body, read(0), *parts, written)
    if within_portable():
        written = [time_major(array) for array in written]
    result = {"states": [tf.cast(tf.concat([real, imaginary], 1), state_type)]}
    return result | {"trajectory": written[0]} if written else result


def backward(cell: DiagonalCell, tensors: dict, sequences: bool) -> dict:
    """Runs the backward pass of `forward`; returns gradients of the states, x and coefficients."""
    a, b = tensors["coefficients"]
    trajectory, steps = tensors["trajectory"], tensors["steps"]
    batch, length, size = tf.unstack(tf.shape(trajectory))
    (first,) = tensors["states"]

    def read(t):
        # The state before step t, and the upstream gradient of the state after it.
        now, before = tf.maximum(t, 0), tf.maximum(t - 1, 0)
        part = {"before": tf.where(t > 0, read_row(trajectory, before), first)}
        if sequences:
            part["d_sequence"] = read_row(tensors["d_sequence"], now)
        if "mask" in tensors:
            part["mask"] = read_step(tensors["mask"], now)
        return part

    def body(count, slices, real, imaginary, d_a, d_b, d_x):
        t = steps - 1 - count
        following = read(t - 1)
        if sequences:
            d_real, d_imaginary = tf.split(tf.cast(slices["d_sequence"], a.dtype), 2, axis=1)
            real, imaginary = real + d_real, imaginary + d_imaginary
        new, old = [real, imaginary], [a * real + b * imaginary, a * imaginary - b * real]
        if "mask" in slices:
            live = slices["mask"][:, None]
            old = [tf.where(live, o, n) for o, n in zip(old, new, strict=True)]
            new = [tf.where(live, n, tf.zeros_like(n)) for n in new]
        before_real, before_imaginary = tf.split(tf.cast(slices["before"], a.dtype), 2, axis=1)
        d_a += new[0] * before_real + new[1] * before_imaginary
        d_b += new[1] * before_real - new[0] * before_imaginary
        d_x = write_step(d_x, tf.cast(tf.concat(new, 1), d_x.dtype), t)
        return count + 1, following, *old, d_a, d_b, d_x

    (d_state,) = tensors["d_states"]
    sums = [tf.zeros([batch, size // 2], a.dtype) for _ in range(2)]
    d_x = tf.zeros([length, batch, size], d_state.dtype)
    parts = tf.split(tf.cast(d_state, a.dtype), 2, axis=1)
    _, real, imaginary, *sums, d_x = while_steps(steps, body, read(steps - 1), *parts, *sums, d_x)
    d_a, d_b = [tf.reduce_sum(each, 0) for each in sums]
    return {
        "states": [tf.cast(tf.concat([real, imaginary], 1), d_state.dtype)],
        "x": d_x,
        "coefficients": [d_a, d_b],
    }


def sequence(result: dict, steps: Any = None) -> Any:
    """The state after each step, (batch, time, 2 * pairs), from the results of `forward`."""
    return result["trajectory"][:, :steps]


BACKWARD_NEEDS = ("steps", "coefficients", "mask", "states", "trajectory")


def gradients(tensors: dict, d: dict) -> dict:
    """The results of `backward` are already the gradients of all arguments."""
    return d
