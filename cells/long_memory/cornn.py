"""The coupled oscillatory network."""

from typing import Any

import keras
from keras import ops

from seqzoo.cells.base import RecurrentCell


@keras.saving.register_keras_serializable(package="seqzoo")
class CoRNNCell(RecurrentCell):
    """Units are damped oscillators, driven by the input and by each other.

        z = z + dt * (tanh(W x + U y + V z + b) - gamma * y - epsilon * z)
        y = y + dt * z

    States are [y, z], position and velocity; y is the output. States and gradients stay bounded
    over thousands of steps. The paper searches over dt from 0.01 to 0.1 and over gamma and epsilon
    from 1 to about 10. Its damping may use the new or the old velocity (n-bar in equation 3); here
    it uses the old one, as in the authors' code.

    Reference: Rusch and Mishra, "Coupled Oscillatory Recurrent Neural Network (coRNN)", ICLR
    2021, equation 3.

    Args:
        units: size of y and of z.
        dt: step size, above 0.
        gamma: frequency, at least 0.
        epsilon: damping, at least 0.
        **kwargs: see `RecurrentCell`; `recurrent_initializer` is that of U and V, "glorot_uniform"
            by default.

    Raises:
        ValueError: `dt` is not above 0, or `gamma` or `epsilon` is below 0.
    """

    gates = ("candidate",)

    def __init__(
        self,
        units: int,
        *,
        dt: float = 0.042,
        gamma: float = 2.7,
        epsilon: float = 4.7,
        recurrent_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ):
        if dt <= 0:
            raise ValueError(f"`dt` must be above 0, got {dt!r}.")
        for name, value in (("gamma", gamma), ("epsilon", epsilon)):
            if value < 0:
                raise ValueError(f"`{name}` must be at least 0, got {value!r}.")
        super().__init__(units, recurrent_initializer=recurrent_initializer, **kwargs)
        self.dt = dt
        self.gamma = gamma
        self.epsilon = epsilon

    @property
    def state_size(self):
        return [self.units, self.units]

    def recurrent_kernel_shape(self):
        return (2 * self.units, self.units)  # U above V

    def advance(self, x, states, recurrent_mask=None):
        y, z = states
        m = y if recurrent_mask is None else y * recurrent_mask
        r = ops.matmul(ops.concatenate([m, z], -1), self.recurrent_matrix())
        drive = self.activation(x + r)
        z = z + self.dt * (drive - self.gamma * y - self.epsilon * z)
        y = y + self.dt * z
        return y, [y, z]

    def get_config(self) -> dict:
        options = {"dt": self.dt, "gamma": self.gamma, "epsilon": self.epsilon}
        return {**super().get_config(), **options}
