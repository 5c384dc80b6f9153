"""The antisymmetric recurrence with a gate."""

from typing import Any

import keras
from keras import ops

from seqzoo.cells.base import RecurrentCell
from seqzoo.cells.long_memory.antisymmetric import antisymmetric_matrix, check_step


@keras.saving.register_keras_serializable(package="seqzoo")
class GatedAntisymmetricRNNCell(RecurrentCell):
    """A gate on each Euler step, with the same recurrent matrix as the candidate.

        r = (U - U^T - gamma I) h
        z = sigmoid(Wz x + r + bz)
        h = h + epsilon * z * tanh(W x + r + b)

    Columns: gate, candidate.

    Reference: Chang, Chen, Haber and Chi, "AntisymmetricRNN: A Dynamical System View on Recurrent
    Neural Networks", ICLR 2019, equation 13.

    Args:
        units: size of the state.
        epsilon: step size, above 0.
        gamma: strength of diffusion, at least 0.
        **kwargs: see `RecurrentCell`; `recurrent_initializer` is a normal one of variance
            1 / units by default.
    """

    gates = ("gate", "candidate")
    recurrent_gates = ("shared",)

    def __init__(
        self,
        units: int,
        *,
        epsilon: float = 0.1,
        gamma: float = 0.01,
        recurrent_initializer: Any = "lecun_normal",
        **kwargs: Any,
    ):
        check_step(epsilon, gamma)
        super().__init__(units, recurrent_initializer=recurrent_initializer, **kwargs)
        self.epsilon = epsilon
        self.gamma = gamma

    def recurrent_matrix(self):
        return antisymmetric_matrix(super().recurrent_matrix(), self.gamma)

    def step(self, x, r, states):
        (h,) = states
        z = ops.sigmoid(x.gate + r.shared)
        h = h + self.epsilon * z * self.activation(x.candidate + r.shared)
        return h, [h]

    def get_config(self) -> dict:
        return {**super().get_config(), "epsilon": self.epsilon, "gamma": self.gamma}
