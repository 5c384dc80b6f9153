"""Runs LSTM and GRU cells with cuDNN's kernels on a GPU."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from seqzoo.cells.base import RecurrentCell
from seqzoo.cells.private_keras import backend


def obstacles(cell: RecurrentCell) -> tuple[str, ...]:
    """The reasons why a cell cannot use cuDNN; empty if it can."""
    if "cudnn" not in vars(type(cell)):  # declared by the class itself: a subclass may differ
        return (f"cuDNN does not implement {type(cell).__name__}",)
    requirements = {
        "`activation` is not tanh": cell.activation is keras.activations.tanh,
        "`recurrent_activation` is not sigmoid": (
            cell.recurrent_activation is keras.activations.sigmoid
        ),
        "`use_bias=False`": cell.use_bias,
        "`reset_after=False`": getattr(cell, "reset_after", True),
        "`recurrent_dropout` is set": not cell.recurrent_dropout,
        f"the precision is {cell.compute_dtype}": cell.compute_dtype in ("float16", "float32"),
    }
    return tuple(reason for reason, met in requirements.items() if not met)


def run(
    layer: Any, sequences: Any, states: list, mask: Any, otherwise: Callable
) -> tuple[Any, Any, list]:
    """Runs the cell of `layer` with cuDNN, but with Keras' outputs for masked steps.

    Args:
        layer: a `Recurrent` whose cell has no `obstacles`.
        sequences: (batch, time, features).
        states: list of (batch, units).
        mask: boolean, (batch, time), or None.
        otherwise: function without arguments that runs instead if cuDNN does not support the mask;
            cuDNN supports only right padding, and no rows that are all padding.

    Returns:
        The last output (batch, units); all outputs (batch, time, units), or without
        `return_sequences` the last one, (batch, 1, units); and the list of last states.
    """
    if mask is None:
        return _kernel(layer, sequences, states, None)
    mask = tf.cast(mask, "bool")

    def masked():
        last, outputs, new = _kernel(layer, sequences, states, mask)
        if not layer.return_sequences:
            return last, outputs, new
        unmasked = mask[:, ::-1] if layer.go_backwards else mask
        if not (layer.zero_output_for_mask or layer.go_backwards):
            outputs = tf.where(unmasked[..., None], outputs, last[:, None])
        if layer.zero_output_for_mask:
            last = tf.where(unmasked[:, -1:], last, tf.zeros_like(last))
        return last, outputs, new

    right_padded = tf.reduce_all(mask[:, :-1] | ~mask[:, 1:]) & tf.reduce_all(mask[:, 0])
    return tf.cond(right_padded, masked, otherwise)


def _kernel(layer: Any, sequences: Any, states: list, mask: Any) -> tuple[Any, Any, list]:
    cell = layer.cell
    weights = {
        "kernel": tf.cast(cell.kernel, cell.compute_dtype),
        "recurrent_kernel": tf.cast(cell.recurrent_kernel, cell.compute_dtype),
        "bias": tf.cast(cell.bias, cell.compute_dtype),
        "activation": cell.activation,
        "recurrent_activation": cell.recurrent_activation,
        "return_sequences": layer.return_sequences,
        "go_backwards": layer.go_backwards,
    }
    sequences = tf.cast(sequences, cell.compute_dtype)
    run_backend = {"lstm": backend.lstm, "gru": backend.gru}[cell.cudnn]
    last, outputs, new = run_backend(sequences, *states, mask, **weights)
    return last, outputs, list(new)
