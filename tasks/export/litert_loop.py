"""The loop of a recurrent layer as LiteRT runs it: a While loop of built-in operations, with the
outputs of all steps in one tensor."""

from typing import Any

import tensorflow as tf


def run_loop(layer: Any, sequences: Any, states: list, mask: Any) -> tuple[Any, Any, list]:
    """A runner (see `seqzoo.cells.engine.runners`) for one row.

    Steps are read from the projected inputs by index. Layers that return sequences write them to an
    array whose size is known when the loop begins; LiteRT copies the array at each step. Masked
    steps leave the states unchanged and have an output of zero.
    """
    cell = layer.cell
    x = cell.projected(sequences)
    batch, time = x.shape[0], x.shape[1]
    count = tf.shape(x)[1] if time is None else time
    if mask is not None:
        mask = tf.cast(mask, x.dtype)[..., None]  # (batch, time, 1)
    sizes = [state.shape[-1] for state in states]
    states = [_sized(item, batch, size) for item, size in zip(states, sizes, strict=True)]
    by_step = tf.transpose(x, [1, 0, 2])
    mask_by_step = None if mask is None else tf.transpose(mask, [1, 0, 2])
    keeps_steps = layer.return_sequences
    outputs = tf.TensorArray(x.dtype, count, element_shape=[batch, cell.output_size])

    def body(t: Any, outputs: tuple, *states: Any) -> tuple:
        position = count - 1 - t if layer.go_backwards else t
        output, new = cell.advance(tf.gather(by_step, position), list(states))
        if mask_by_step is not None:
            unmasked = tf.gather(mask_by_step, position) > 0
            new = [tf.where(unmasked, a, b) for a, b in zip(new, states, strict=True)]
            output = tf.where(unmasked, output, tf.zeros_like(output))
        new = [_sized(item, batch, size) for item, size in zip(new, sizes, strict=True)]
        return (t + 1, tuple(item.write(t, output) for item in outputs), *new)

    first = (tf.constant(0), (outputs,) if keeps_steps else (), *states)
    _, written, *last = tf.while_loop(lambda t, *_: t < count, body, first)
    if not keeps_steps:
        return last[0], last[0][:, None], last
    steps = tf.transpose(written[0].stack(), [1, 0, 2])
    steps.set_shape([batch, time, cell.output_size])
    return last[0], steps, last


def _sized(state: Any, batch: int | None, size: int) -> Any:
    """A state with as much of its static shape as is known; LiteRT has no `tf.ensure_shape`."""
    if batch is None or state.shape.as_list() == [batch, size]:
        return state
    return tf.reshape(state, [batch, size])
