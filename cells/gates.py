"""Shared parts of cells with gates: the gates' nonlinearity, biases, and shortcuts."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from seqzoo.cells.base import RecurrentCell
from seqzoo.cells.options import from_keras


class CellWithGates(RecurrentCell):
    """A cell whose gates share a nonlinearity, separate from the candidate's; abstract.

    "Columns" in the docstrings of cells are the gates in the order of the columns of the kernel, of
    the recurrent kernel and of the bias.

    Args:
        units: size of the output and of each state.
        recurrent_activation: nonlinearity of the gates; any Keras activation.
        **kwargs: see `RecurrentCell`.
    """

    def __init__(self, units: int, *, recurrent_activation: Any = "sigmoid", **kwargs: Any):
        super().__init__(units, **kwargs)
        self.recurrent_activation = from_keras("recurrent_activation", recurrent_activation)

    def with_gate_bias(self, bias: Any, gate: str, value: Any) -> Any:
        """The bias with the entries of one gate set to a scalar or to a vector, (units,)."""
        parts = self._bias_parts(bias)
        parts[gate] = ops.zeros_like(parts[gate]) + value
        return ops.concatenate(list(parts.values()))

    def get_config(self) -> dict:
        """The configuration that the cell is rebuilt from."""
        return {
            **super().get_config(),
            "recurrent_activation": keras.activations.serialize(self.recurrent_activation),
        }


class CellWithShortcut(CellWithGates):
    """A cell whose input also bypasses the gates' weights; abstract.

    `project` appends the shortcut as the last columns: the input itself if it has as many features
    as the cell has units, otherwise its product with a separate matrix, `shortcut_kernel`.

    Args:
        units: size of the output and of each state.
        **kwargs: see `CellWithGates`.
    """

    shortcut_kernel: Any = None

    def build(self, input_shape: tuple) -> None:
        """Creates the weights for inputs of shape (batch, features)."""
        super().build(input_shape)
        if input_shape[-1] != self.units:
            self.shortcut_kernel = self.add_weight(
                shape=(input_shape[-1], self.units),
                name="shortcut_kernel",
                initializer=clone_initializer(self.kernel_initializer),
            )

    def project(self, inputs: Any) -> Any:
        """(..., features) -> (..., (gates + 1) * units), the shortcut last."""
        shortcut = inputs
        if self.shortcut_kernel is not None:
            shortcut = ops.matmul(inputs, ops.convert_to_tensor(self.shortcut_kernel))
        return ops.concatenate([super().project(inputs), shortcut], axis=-1)

    def split_shortcut(self, x: Any) -> tuple[Any, Any]:
        """Splits a projected input into a named tuple of the gates' parts, and the shortcut."""
        columns, shortcut = ops.split(x, [len(self.gates) * self.units], axis=-1)
        return self.split(columns), shortcut


def masked(h: Any, recurrent_mask: Any) -> Any:
    """A state with recurrent dropout applied, if there is a mask."""
    return h if recurrent_mask is None else h * recurrent_mask


def filled_with(value: float) -> Callable:
    """An initializer for weights that all start at `value`, in the precision of their dtype; Keras'
    `Constant` rounds it to float32."""
    return lambda shape, dtype=None: ops.full(shape, value, dtype)


def clone_initializer(initializer: Any) -> Any:
    """A copy of an initializer that draws different values, unless it has a seed.

    A Keras initializer draws the same values each time it is called with the same shape.
    """
    if isinstance(initializer, keras.initializers.Initializer):
        return initializer.clone()
    return initializer
