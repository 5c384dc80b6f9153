"""The vanilla recurrence: one recurrent matrix product and one nonlinearity."""

import keras
from keras import ops

from seqzoo.cells.activation_gradients import derivative, have_derivatives
from seqzoo.cells.base import RecurrentCell


@keras.saving.register_keras_serializable(package="seqzoo")
class VanillaCell(RecurrentCell):
    """h = f(W x + U h + b)

    f is `activation`, tanh by default. Weights have the same shapes as those of
    `keras.layers.SimpleRNN`.

    Reference: Elman, "Finding Structure in Time", Cognitive Science 14 (1990).

    Args:
        units: size of the state.
        **kwargs: see `RecurrentCell`.
    """

    gates = ("candidate",)

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
        return [dh * derivative(self.activation, h)], None, [ops.zeros_like(h)]
