"""A loop over the time steps of a batch, for recursions outside recurrent layers."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
from keras import ops


def scan(
    step: Callable,
    carry: Any,
    elements: Sequence[Any],
    kept: str | None = None,
    *,
    reverse: bool = False,
) -> tuple[Any, Any]:
    """Runs `carry, keep = step(first, carry, *elements)` over axis 1 of the elements.

    Args:
        step: the function; `first` is a bool tensor, true at step 0.
        carry: the initial carry, (batch, ...).
        elements: tensors of shape (batch, time, ...).
        kept: dtype of the kept values; None to keep none.
        reverse: whether to run from the last step to the first.

    Returns:
        The last carry, and the kept values, (batch, time, ...), or None.
    """
    count = ops.shape(elements[0])[1]
    arrays = [_time_first(values) for values in elements]
    arrays = [tf.TensorArray(x.dtype, count).unstack(x) for x in arrays]
    keeps = tf.TensorArray(kept or carry.dtype, count if kept else 0)

    def body(index: Any, carry: Any, keeps: Any) -> tuple[Any, Any, Any]:
        at = count - 1 - index if reverse else index
        new, keep = step(at == 0, carry, *(array.read(at) for array in arrays))
        return (
            index + 1,
            tf.ensure_shape(new, carry.shape),
            keeps.write(at, keep) if kept else keeps,
        )

    _, carry, keeps = tf.while_loop(lambda index, *_: index < count, body, (0, carry, keeps))
    return carry, _time_first(keeps.stack()) if kept else None


def _time_first(values: Any) -> Any:
    """Swaps the first two axes."""
    return ops.transpose(values, [1, 0, *range(2, len(values.shape))])
