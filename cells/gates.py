"""What cells with gates share: the nonlinearity of the gates, and helpers to read and to begin."""

from typing import Any

import keras
from keras import ops

from seqzoo.cells.base import RecurrentCell


class CellWithGates(RecurrentCell):
    """A cell whose gates have one nonlinearity of their own; abstract.

    Args:
        units: size of the output and of each state.
        recurrent_activation: nonlinearity of the gates; any Keras activation.
        **kwargs: see `RecurrentCell`.
    """

    def __init__(self, units: int, *, recurrent_activation: Any = "sigmoid", **kwargs: Any):
        super().__init__(units, **kwargs)
        self.recurrent_activation = keras.activations.get(recurrent_activation)

    def with_gate_bias(self, bias: Any, gate: str, value: Any) -> Any:
        """A bias of (gates * units,) whose entries for one gate are replaced by a value."""
        parts = self.split(bias)
        filled = ops.full_like(getattr(parts, gate), 0) + value
        return ops.concatenate(list(parts._replace(**{gate: filled})))

    def get_config(self) -> dict:
        """All that rebuilds the cell."""
        return {
            **super().get_config(),
            "recurrent_activation": keras.activations.serialize(self.recurrent_activation),
        }


def masked(h: Any, recurrent_mask: Any) -> Any:
    """A state as it enters a recurrent product, where dropout may leave units out."""
    return h if recurrent_mask is None else h * recurrent_mask
