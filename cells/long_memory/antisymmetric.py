"""Antisymmetric recurrences, with and without a gate, from stable differential equations."""

from typing import Any

import keras
from keras import ops

from seqzoo.cells.base import RecurrentCell


def antisymmetric_matrix(kernel: Any, gamma: float) -> Any:
    """U - U^T - gamma I, whose eigenvalues have the real part -gamma."""
    eye = ops.eye(kernel.shape[0], dtype=kernel.dtype)
    return kernel - ops.transpose(kernel) - gamma * eye


def check_step(epsilon: float, gamma: float) -> None:
    """Raises ValueError if a step size or a diffusion is out of range."""
    if epsilon <= 0:
        raise ValueError(f"`epsilon` must be above 0, got {epsilon!r}.")
    if gamma < 0:
        raise ValueError(f"`gamma` must be at least 0, got {gamma!r}.")


@keras.saving.register_keras_serializable(package="seqzoo")
class AntisymmetricRNNCell(RecurrentCell):
    """h = h + epsilon * tanh(W x + (U - U^T - gamma I) h + b)

    One Euler step of a differential equation whose Jacobian has eigenvalues near the imaginary
    axis: states are neither forgotten nor blown up. The paper uses epsilon from 0.01 to 1 and gamma
    from 0 to 1.

    Reference: Chang, Chen, Haber and Chi, "AntisymmetricRNN: A Dynamical System View on Recurrent
    Neural Networks", ICLR 2019, equation 11.

    Args:
        units: size of the state.
        epsilon: step size, above 0.
        gamma: strength of diffusion, at least 0.
        **kwargs: see `RecurrentCell`; `recurrent_initializer` is a normal one of variance
            1 / units by default.
    """

    gates = ("candidate",)

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
        h = h + self.epsilon * self.activation(x.candidate + r.candidate)
        return h, [h]

    def get_config(self) -> dict:
        return {**super().get_config(), "epsilon": self.epsilon, "gamma": self.gamma}
