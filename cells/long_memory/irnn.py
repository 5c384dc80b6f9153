"""The vanilla recurrence with ReLU, initialised with the identity matrix."""

from typing import Any

import keras

from seqzoo.cells.activation_gradients import derivative, have_derivatives
from seqzoo.cells.base import RecurrentCell


@keras.saving.register_keras_serializable(package="seqzoo")
class IRNNCell(RecurrentCell):
    """h = relu(W x + U h + b), where U starts as the identity matrix.

    Initially a state is copied from step to step, so gradients neither vanish nor explode. A simple
    way to obtain a long memory. Sensitive to the learning rate, so clip gradients.

    Reference: Le, Jaitly and Hinton, "A Simple Way to Initialize Recurrent Networks of Rectified
    Linear Units", arXiv 1504.00941 (2015), section 2.

    Args:
        units: size of the state.
        **kwargs: see `RecurrentCell`; `activation` is "relu" and `recurrent_initializer`
            "identity" by default.
    """

    gates = ("candidate",)

    def __init__(
        self,
        units: int,
        *,
        activation: Any = "relu",
        recurrent_initializer: Any = "identity",
        **kwargs: Any,
    ):
        super().__init__(
            units, activation=activation, recurrent_initializer=recurrent_initializer, **kwargs
        )

    def step(self, x, r, states):
        h = self.activation(x.candidate + r.candidate)
        return h, [h]

    @property
    def has_step_gradient(self):
        return have_derivatives(self.activation)

    def step_with_values(self, x, r, states):
        h, new = self.step(x, r, states)
        return h, new, (h,)

    def step_gradient(self, values, d_states):
        (h,), (dh,) = values, d_states
        return [dh * derivative(self.activation, h)], None, [keras.ops.zeros_like(h)]
