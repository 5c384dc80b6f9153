"""Minion recurrent units: GRUs whose gates are replaced by constants."""

from typing import Any

from keras import ops, saving

from seqzoo.cells.base import RecurrentCell
from seqzoo.cells.gates import CellWithGates, masked


@saving.register_keras_serializable(package="seqzoo")
class MiRU1Cell(CellWithGates):
    """A GRU whose update gate is a constant.

        r = sigmoid(Wr x + Ur h + br)
        n = tanh(Wn x + Un (r * h) + bn)
        h = a * h + (1 - a) * n

    a is `update_coefficient`. Columns: reset, candidate. h stays between -1 and 1 if it starts
    there.

    For continual learning on small devices.

    Reference: Zyarah and Kudithipudi, "Minion Gated Recurrent Unit for Continual Learning", arXiv
    2503.06175, 2025, and Neurocomputing, 2026, variant MiRU-1.

    Args:
        units: size of the state.
        update_coefficient: fraction of the state that is kept, from 0 to 1.
        **kwargs: see `RecurrentCell`.

    Raises:
        ValueError: `update_coefficient` is out of range.
    """

    gates = ("reset", "candidate")

    def __init__(self, units: int, *, update_coefficient: float = 0.5, **kwargs: Any):
        super().__init__(units, **kwargs)
        self.update_coefficient = _checked_fraction("update_coefficient", update_coefficient)

    def advance(self, x, states, recurrent_mask=None):
        (h,) = states
        m = masked(h, recurrent_mask)
        x = self.split(x)
        Ur, Un = ops.split(self.recurrent_matrix(), 2, axis=1)
        r = self.recurrent_activation(x.reset + ops.matmul(m, Ur))
        n = self.activation(x.candidate + ops.matmul(r * m, Un))
        h = self.update_coefficient * h + (1 - self.update_coefficient) * n
        return h, [h]

    def get_config(self) -> dict:
        return {**super().get_config(), "update_coefficient": self.update_coefficient}


@saving.register_keras_serializable(package="seqzoo")
class MiRU2Cell(RecurrentCell):
    """A GRU whose update and reset gates are constants: a leaky vanilla RNN.

        n = tanh(Wn x + Un (d * h) + bn)
        h = a * h + (1 - a) * n

    a is `update_coefficient`, d is `reset_coefficient`. h stays between -1 and 1 if it starts
    there.

    For small devices: a third of a GRU's weights, with equal results in the paper.

    Reference: Zyarah and Kudithipudi, "Minion Gated Recurrent Unit for Continual Learning", arXiv
    2503.06175, 2025, and Neurocomputing, 2026, variant MiRU-2.

    Args:
        units: size of the state.
        update_coefficient: fraction of the state that is kept, from 0 to 1.
        reset_coefficient: fraction of the state that the candidate sees, from 0 to 1.
        **kwargs: see `RecurrentCell`.

    Raises:
        ValueError: a coefficient is out of range.
    """

    gates = ("candidate",)

    def __init__(
        self,
        units: int,
        *,
        update_coefficient: float = 0.5,
        reset_coefficient: float = 0.5,
        **kwargs: Any,
    ):
        super().__init__(units, **kwargs)
        self.update_coefficient = _checked_fraction("update_coefficient", update_coefficient)
        self.reset_coefficient = _checked_fraction("reset_coefficient", reset_coefficient)

    def recurrent_matrix(self):
        return self.reset_coefficient * super().recurrent_matrix()

    def step(self, x, r, states):
        (h,) = states
        n = self.activation(x.candidate + r.candidate)
        h = self.update_coefficient * h + (1 - self.update_coefficient) * n
        return h, [h]

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "update_coefficient": self.update_coefficient,
            "reset_coefficient": self.reset_coefficient,
        }


def _checked_fraction(name: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"`{name}` must be from 0 to 1, got {value!r}.")
    return value
