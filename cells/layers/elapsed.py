"""The time since the previous step, in the order in which a layer runs its steps."""

from typing import Any

import keras
import numpy as np
from keras import ops


def elapsed_in_order(elapsed: Any, mask: Any, go_backwards: bool) -> Any:
    """The time between each step and the step run before it.

    Masked steps add to the elapsed time. The first step run keeps the time before the sequence.

    Args:
        elapsed: (batch, time), the time since the previous step.
        mask: (batch, time) of bool, or None.
        go_backwards: whether the steps run from the last to the first.

    Returns:
        (batch, time), in the order of the input; arbitrary for masked steps.
    """
    if mask is None:
        return ops.roll(elapsed, -1, axis=1) if go_backwards else elapsed
    elapsed = ops.cast(elapsed, "float64" if elapsed.dtype == "float64" else "float32")
    time = ops.shape(elapsed)[1]
    steps = ops.arange(time, dtype="int32")[None]
    order = ops.argsort(ops.where(mask, steps, steps + time), axis=1)  # unmasked steps first
    order = ops.cast(order, "int32")
    clock = ops.take_along_axis(ops.cumsum(elapsed, axis=1), order, axis=1)
    passed = clock - ops.pad(clock, [[0, 0], [1, 0]])[:, :-1]
    before = ops.pad(order, [[0, 0], [1, 0]], constant_values=-1)[:, :-1]
    # The sum is rounded, so it is only used where steps are masked.
    passed = ops.where(order - before == 1, ops.take_along_axis(elapsed, order, axis=1), passed)
    rank = ops.cumsum(ops.cast(mask, "int32"), axis=1)
    if go_backwards:
        rank = ops.where(rank < rank[:, -1:], rank, 0)
    else:
        rank = ops.maximum(rank - 1, 0)
    return ops.take_along_axis(passed, rank, axis=1)


def check_elapsed(elapsed: Any, sequences: Any) -> None:
    """Raises ValueError if there is not one time per step, or if a time is negative or NaN.

    Values are checked only in TensorFlow's eager mode or, with another backend, if they are NumPy
    arrays.
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
    wrong = ~(values >= 0)
    if wrong.any():
        row, step, *_ = position = next(zip(*wrong.nonzero(), strict=True))
        raise ValueError(
            f"`elapsed` must be the time since the previous step, at least 0, got "
            f"{float(values[position])} in row {row}, step {step}."
        )


def _time(tensor: Any) -> int | None:
    """The steps of (batch, time, ...); None if they are not known."""
    shape = getattr(tensor, "shape", ())
    return shape[1] if len(shape) > 1 else None
