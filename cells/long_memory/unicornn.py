"""The undamped independent controlled oscillatory network."""

from typing import Any

import keras
from keras import ops

from seqzoo.cells.base import RecurrentCell


@keras.saving.register_keras_serializable(package="seqzoo")
class UnICORNNCell(RecurrentCell):
    """Each unit is an independent oscillator with a learned time step.

        s = dt * sigmoid(c)
        z = z - s * (tanh(W x + w * y + b) + alpha * y)
        y = y + s * z

    States are [y, z], position and velocity; y is the output. A step has no matrix product.
    Designed for stacks of two or three layers. Some libraries have a matrix in place of w, which is
    a different model.

    Reference: Rusch and Mishra, "UnICORNN: A Recurrent Model for Learning Very Long Time
    Dependencies", ICML 2021, equation 3.

    Args:
        units: size of y and of z.
        dt: largest step size, above 0.
        alpha: strength of the restoring force, at least 0.
        **kwargs: see `RecurrentCell`; `recurrent_initializer` is that of w, uniform from 0 to 1 by
            default; the initial c is uniform from -0.1 to 0.1.

    Raises:
        ValueError: `dt` is not above 0, or `alpha` is below 0.
    """

    gates = ("candidate",)
    recurrent_gates = ()
    unit_weights = ("recurrent_weight", "time_scale")

    def __init__(
        self,
        units: int,
        *,
        dt: float = 0.1,
        alpha: float = 1.0,
        recurrent_initializer: Any = None,
        **kwargs: Any,
    ):
        if dt <= 0:
            raise ValueError(f"`dt` must be above 0, got {dt!r}.")
        if alpha < 0:
            raise ValueError(f"`alpha` must be at least 0, got {alpha!r}.")
        if recurrent_initializer is None:
            recurrent_initializer = keras.initializers.RandomUniform(0, 1)
        super().__init__(units, recurrent_initializer=recurrent_initializer, **kwargs)
        self.dt = dt
        self.alpha = alpha

    @property
    def state_size(self):
        return [self.units, self.units]

    def initial_unit_weight(self, name, shape, dtype=None):
        if name == "recurrent_weight":
            return self.recurrent_initializer(shape, dtype=dtype)
        return keras.initializers.RandomUniform(-0.1, 0.1)(shape, dtype=dtype)

    def step(self, x, r, states, w):
        y, z = states
        s = self.dt * ops.sigmoid(w.time_scale)
        force = self.activation(x.candidate + w.recurrent_weight * y) + self.alpha * y
        z = z - s * force
        y = y + s * z
        return y, [y, z]

    def get_config(self) -> dict:
        return {**super().get_config(), "dt": self.dt, "alpha": self.alpha}
