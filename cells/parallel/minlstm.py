"""The minimal LSTM of 2024, whose gates depend only on the input."""

from typing import Any

import keras
from keras import ops

from seqzoo.cells.activation_gradients import derivative, have_derivatives
from seqzoo.cells.base import RecurrentCell


@keras.saving.register_keras_serializable(package="seqzoo")
class MinLSTMCell(RecurrentCell):
    """Forget and input gates that depend only on the input and are normalised to sum to one.

        f = sigmoid(Wf x + bf)
        i = sigmoid(Wi x + bi)
        h = f / (f + i) * h + i / (f + i) * g(W x + b)

    g is `activation`, linear by default. The recurrence is linear in h; a step has no matrix
    product. Columns: forget, input, candidate. bf starts at `forget_bias`. Stack two or more
    layers.

    Reference: Feng, Tung, Ahmed, Bengio and Hajimirsadeghi, "Were RNNs All We Needed?", arXiv
    2410.01201 (2024), section 3.2.

    Args:
        units: size of the state.
        forget_bias: initial bias of the forget gate.
        **kwargs: see `RecurrentCell`; `activation` is "linear" by default.
    """

    gates = ("forget", "input", "candidate")
    recurrent_gates = ()
    unused_options = ("recurrent_initializer",)

    def __init__(
        self, units: int, *, forget_bias: float = 0.0, activation: Any = "linear", **kwargs: Any
    ):
        super().__init__(units, activation=activation, **kwargs)
        self.forget_bias = forget_bias

    def initial_bias(self, shape, dtype=None):
        f, i, n = ops.split(super().initial_bias(shape, dtype), 3)
        return ops.concatenate([f + self.forget_bias, i, n])

    def shares(self, x: Any) -> tuple[Any, Any, Any]:
        """i / (f + i), 1 - f and 1 - i, computed so that none is ever 0 / 0."""
        largest = ops.maximum(ops.maximum(-x.forget, -x.input), 0)
        one, no_forget = ops.exp(-largest), ops.exp(-x.forget - largest)
        no_input = ops.exp(-x.input - largest)
        inverse_f, inverse_i = one + no_forget, one + no_input  # each times exp(-largest)
        # One of the two is at least 1, and the other may be 0.
        share = inverse_f / (inverse_f + inverse_i)
        return share, ops.sigmoid(-x.forget), ops.sigmoid(-x.input)

    def step(self, x, r, states):
        (h,) = states
        share, *_ = self.shares(x)
        h = h + share * (self.activation(x.candidate) - h)
        return h, [h]

    @property
    def has_step_gradient(self):
        return have_derivatives(self.activation)

    def step_with_values(self, x, r, states):
        (h,) = states
        share, no_forget, no_input = self.shares(x)
        n = self.activation(x.candidate)
        new = h + share * (n - h)
        return new, [new], (share, no_forget, no_input, n, h)

    def step_gradient(self, values, d_states):
        (share, no_forget, no_input, n, h), (dh,) = values, d_states
        dn = dh * share
        d = dn * (n - h) * (1 - share)  # the gradient of log(i / f)
        dx = [-d * no_forget, d * no_input, dn * derivative(self.activation, n)]
        return dx, None, [dh - dn]

    def get_config(self) -> dict:
        return {**super().get_config(), "forget_bias": self.forget_bias}
