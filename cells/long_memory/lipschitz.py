"""The Lipschitz recurrence."""

from typing import Any

import keras
from keras import ops

from seqzoo.cells.base import RecurrentCell


@keras.saving.register_keras_serializable(package="seqzoo")
class LipschitzRNNCell(RecurrentCell):
    """A linear and a nonlinear part, both with bounded spectra.

        A = (1 - beta) * (M + M^T) + beta * (M - M^T) - gamma I
        h = h + epsilon * (A h + tanh(W x + B h + b))

    B is computed from a second matrix as A is from M. As beta goes from 0 to 1, A and B go from
    symmetric to antisymmetric; the paper uses beta from 0.75 to 0.9 and gamma from 0.001 to 0.1.
    The two recurrent kernels are concatenated: linear, candidate.

    Reference: Erichson, Azencot, Queiruga, Hodgkinson and Mahoney, "Lipschitz Recurrent Neural
    Networks", ICLR 2021, equations 1 and 11.

    Args:
        units: size of the state.
        epsilon: step size, above 0.
        beta: mixture of symmetric and antisymmetric parts, from 0 to 1.
        gamma: strength of diffusion, at least 0.
        **kwargs: see `RecurrentCell`; `recurrent_initializer` is normal with variance
            1 / units by default.

    Raises:
        ValueError: `epsilon` is not above 0, `beta` is below 0 or above 1, or `gamma` is below 0.
    """

    gates = ("candidate",)
    recurrent_gates = ("linear", "candidate")

    def __init__(
        self,
        units: int,
        *,
        epsilon: float = 0.03,
        beta: float = 0.75,
        gamma: float = 0.001,
        recurrent_initializer: Any = "lecun_normal",
        **kwargs: Any,
    ):
        if epsilon <= 0:
            raise ValueError(f"`epsilon` must be above 0, got {epsilon!r}.")
        if not 0 <= beta <= 1:
            raise ValueError(f"`beta` must be from 0 to 1, got {beta!r}.")
        if gamma < 0:
            raise ValueError(f"`gamma` must be at least 0, got {gamma!r}.")
        super().__init__(units, recurrent_initializer=recurrent_initializer, **kwargs)
        self.epsilon = epsilon
        self.beta = beta
        self.gamma = gamma

    def recurrent_matrix(self):
        def bounded(kernel):
            other = ops.transpose(kernel)
            mixed = (1 - self.beta) * (kernel + other) + self.beta * (kernel - other)
            return mixed - self.gamma * ops.eye(self.units, dtype=kernel.dtype)

        return ops.concatenate(
            [bounded(kernel) for kernel in ops.split(super().recurrent_matrix(), 2, axis=1)], 1
        )

    def step(self, x, r, states):
        (h,) = states
        h = h + self.epsilon * (r.linear + self.activation(x.candidate + r.candidate))
        return h, [h]

    def get_config(self) -> dict:
        options = {"epsilon": self.epsilon, "beta": self.beta, "gamma": self.gamma}
        return {**super().get_config(), **options}
