"""The simple gated unit and its deep form: one multiplicative gate."""

from typing import Any

import keras
from keras import ops

from seqzoo.cells.gates import CellWithGates, masked
from seqzoo.cells.options import from_keras


@keras.saving.register_keras_serializable(package="seqzoo")
class SGUCell(CellWithGates):
    """The input gates the state, and the result gates it again to form the candidate.

        g = Wg x + bg
        s = tanh(Ug (g * h))
        n = softplus(s * h)
        z = hard_sigmoid(Wz x + Uz h + bz)
        h = (1 - z) * h + z * n

    Columns: gate, update. The hard sigmoid is that of Keras 3, clip(z / 6 + 1 / 2, 0, 1); at
    the time of the paper it was clip(z / 5 + 1 / 2, 0, 1). According to the paper, states may grow
    larger than those of `dsgu`.

    For classification into few classes: in the paper it has fewer weights than a GRU and learns
    long dependencies faster.

    Reference: Gao and Glowacka, "Deep Gate Recurrent Neural Network", ACML 2016 (PMLR 63).

    Args:
        units: size of the state.
        activation: nonlinearity of s.
        recurrent_activation: nonlinearity of the update gate.
        output_activation: nonlinearity of the candidate.
        **kwargs: see `RecurrentCell`.
    """

    gates = ("gate", "update")

    def __init__(
        self,
        units: int,
        *,
        recurrent_activation: Any = "hard_sigmoid",
        output_activation: Any = "softplus",
        **kwargs: Any,
    ):
        super().__init__(units, recurrent_activation=recurrent_activation, **kwargs)
        self.output_activation = from_keras("output_activation", output_activation)

    def advance(self, x, states, recurrent_mask=None):
        (h,) = states
        m = masked(h, recurrent_mask)
        x = self.split(x)
        Ug, Uz = ops.split(self.recurrent_matrix(), 2, axis=1)
        s = self.activation(ops.matmul(x.gate * m, Ug))
        n = self.output_activation(s * h)
        z = self.recurrent_activation(x.update + ops.matmul(m, Uz))
        h = (1 - z) * h + z * n
        return h, [h]

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "output_activation": keras.activations.serialize(self.output_activation),
        }


@keras.saving.register_keras_serializable(package="seqzoo")
class DSGUCell(CellWithGates):
    """A simple gated unit with one more layer before the candidate, which stays bounded.

        g = Wg x + bg
        s = tanh(Ug (g * h))
        n = sigmoid(Un (s * h))
        z = hard_sigmoid(Wz x + Uz h + bz)
        h = (1 - z) * h + z * n

    Columns of W: gate, update; of U: gate, update, candidate. h stays between 0 and 1 if it starts
    there. The hard sigmoid is that of Keras 3; see `sgu`.

    Reference: Gao and Glowacka, "Deep Gate Recurrent Neural Network", ACML 2016 (PMLR 63).

    Args:
        units: size of the state.
        activation: nonlinearity of s.
        recurrent_activation: nonlinearity of the update gate.
        output_activation: nonlinearity of the candidate.
        **kwargs: see `RecurrentCell`.
    """

    gates = ("gate", "update")
    recurrent_gates = ("gate", "update", "candidate")

    def __init__(
        self,
        units: int,
        *,
        recurrent_activation: Any = "hard_sigmoid",
        output_activation: Any = "sigmoid",
        **kwargs: Any,
    ):
        super().__init__(units, recurrent_activation=recurrent_activation, **kwargs)
        self.output_activation = from_keras("output_activation", output_activation)

    def advance(self, x, states, recurrent_mask=None):
        (h,) = states
        m = masked(h, recurrent_mask)
        x = self.split(x)
        Ug, Uz, Un = ops.split(self.recurrent_matrix(), 3, axis=1)
        s = self.activation(ops.matmul(x.gate * m, Ug))
        n = self.output_activation(ops.matmul(s * m, Un))
        z = self.recurrent_activation(x.update + ops.matmul(m, Uz))
        h = (1 - z) * h + z * n
        return h, [h]

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "output_activation": keras.activations.serialize(self.output_activation),
        }
