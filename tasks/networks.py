"""Layers and stacks that several templates are built from."""

from typing import Any

import keras
from keras import ops

import seqzoo.cells
from seqzoo.tasks.errors import SeqzooError


@keras.saving.register_keras_serializable(package="seqzoo")
class LengthMask(keras.layers.Layer):
    """True for the steps of a sequence: (batch, time, ...), lengths (batch,) -> (batch, time)."""

    def call(self, values: Any, lengths: Any) -> Any:
        steps = ops.arange(ops.shape(values)[1], dtype="int32")
        return steps[None, :] < lengths[:, None]

    def compute_output_spec(self, values: Any, lengths: Any) -> Any:
        return keras.KerasTensor(tuple(values.shape[:2]), "bool")


@keras.saving.register_keras_serializable(package="seqzoo")
class MaskedPooling(keras.layers.Layer):
    """Mean or maximum over the steps of a sequence: (batch, time, units) -> (batch, units).

    A sequence without a step gives zeros.

    Args:
        mode: "mean" or "max".
    """

    def __init__(self, mode: str, **kwargs: Any):
        super().__init__(**kwargs)
        self.mode = mode
        self.supports_masking = True

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """None: no steps are left."""

    def call(self, sequence: Any, steps: Any) -> Any:
        steps = steps[:, :, None]
        if self.mode == "mean":
            total = ops.sum(ops.where(steps, sequence, 0), axis=1)
            count = ops.maximum(ops.sum(ops.cast(steps, "float32"), axis=1), 1)
            return total / ops.cast(count, total.dtype)
        lowest = ops.cast(-6e4, sequence.dtype)  # float16 ends at 65504
        highest = ops.max(ops.where(steps, sequence, lowest), axis=1)
        return ops.where(ops.any(steps, axis=1), highest, 0)

    def compute_output_spec(self, sequence: Any, steps: Any) -> Any:
        return keras.KerasTensor((sequence.shape[0], sequence.shape[2]), sequence.dtype)

    def get_config(self) -> dict:
        return {**super().get_config(), "mode": self.mode}


def make_cell(task: Any, dtype: str | None = None) -> Any:
    """A cell of the template's choices.

    Raises:
        SeqzooError: there is no such cell, or it does not take an option.
    """
    options = dict(task.cell_options)
    try:
        return seqzoo.cells.create(
            task.cell,
            task.units,
            dropout=task.dropout,
            recurrent_dropout=task.recurrent_dropout,
            dtype=dtype,
            **options,
        )
    except (TypeError, ValueError) as error:
        raise SeqzooError(str(error)) from error


def recurrent_stack(task: Any, values: Any, mask: Any, *, sequence: bool, dtype: str) -> Any:
    """A template's recurrent layers.

    Args:
        task: has `cell`, `units`, `layers`, `bidirectional`, `dropout`, `recurrent_dropout` and
            `cell_options`.
        values: shape (batch, time, features).
        mask: shape (batch, time); handed to each layer, because Keras may not pass it on.
        sequence: whether the last layer returns all steps.
        dtype: Keras' policy.

    Returns:
        Shape (batch, time, units) or (batch, units), twice the units where bidirectional.
    """
    for index in range(task.layers):
        layer = seqzoo.cells.Recurrent(
            make_cell(task, dtype),
            return_sequences=sequence or index + 1 < task.layers,
            dtype=dtype,
        )
        if task.bidirectional:
            layer = seqzoo.cells.Bidirectional(layer, dtype=dtype)
        values = layer(values, mask=mask)
    return values
