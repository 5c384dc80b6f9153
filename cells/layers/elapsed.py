"""The time since the previous step, in the order in which a layer runs its steps."""

from typing import Any

import keras
import numpy as np
from keras import ops

from seqzoo.cells.engine.portability import exporting


def elapsed_in_order(elapsed: Any, mask: Any, go_backwards: bool) -> Any:
    """The time between each step and the step run before it.

    The time of masked steps is added to that of the next unmasked step. The step that runs first
    keeps the time before the sequence.

    Args:
        elapsed: (batch, time), the time since the previous step.
        mask: boolean, (batch, time), or None.
        go_backwards: whether the steps run from the last to the first.

    Returns:
        (batch, time), in the order of the input; arbitrary for masked steps.
    """
    if mask is None:
        return ops.roll(elapsed, -1, axis=1) if go_backwards else elapsed
    dtype = "float64" if elapsed.dtype == "float64" else "float32"
    # Times since 1970 and the seconds between two steps have no common scale in float32, but LiteRT
    # cannot add up numbers of 64 bits.
    exported = keras.backend.backend() == "tensorflow" and exporting()
    elapsed = ops.cast(elapsed, dtype if exported else "float64")
    time = ops.shape(elapsed)[1]
    steps = ops.arange(time, dtype="int32")[None]
    order = ops.argsort(ops.where(mask, steps, steps + time), axis=1)  # unmasked steps first
    order = ops.cast(order, "int32")
    clock = ops.take_along_axis(ops.cumsum(elapsed, axis=1), order, axis=1)
    differences = clock - ops.pad(clock, [[0, 0], [1, 0]])[:, :-1]
    before = ops.pad(order, [[0, 0], [1, 0]], constant_values=-1)[:, :-1]
    # Differences of the sums have rounding errors, so they are used only where steps are masked.
    times = ops.take_along_axis(elapsed, order, axis=1)
    times = ops.where(order - before == 1, times, differences)
    rank = ops.cumsum(ops.cast(mask, "int32"), axis=1)
    if go_backwards:
        rank = ops.where(rank < rank[:, -1:], rank, 0)
    else:
        rank = ops.maximum(rank - 1, 0)
    return ops.cast(ops.take_along_axis(times, rank, axis=1), dtype)


def check_elapsed(elapsed: Any, sequences: Any) -> None:
    """Checks that there is one time per step and that none is negative or NaN.

    Values are checked only in TensorFlow's eager mode or, with another backend, if they are NumPy
    arrays.

    Args:
        elapsed: (batch, time).
        sequences: (batch, time, ...).

    Raises:
        ValueError: a check fails.
    """
    steps, times = _time(sequences), _time(elapsed)
    if None not in (steps, times) and steps != times:
        raise ValueError(f"`elapsed` must have one time per step, got {times} for {steps} steps.")
    if keras.backend.backend() != "tensorflow":
        if not isinstance(elapsed, np.ndarray):
            return
    else:
        import tensorflow as tf

        if not tf.executing_eagerly() or isinstance(elapsed, keras.KerasTensor):
            return
    values = ops.convert_to_numpy(elapsed)
    invalid = ~(values >= 0)
    if invalid.any():
        row, step, *_ = position = next(zip(*invalid.nonzero(), strict=True))
        raise ValueError(
            f"`elapsed` must be the time since the previous step, at least 0, got "
            f"{float(values[position])} in row {row}, step {step}."
        )


def _time(tensor: Any) -> int | None:
    """The number of steps of (batch, time, ...); None if it is unknown."""
    shape = getattr(tensor, "shape", ())
    return shape[1] if len(shape) > 1 else None
