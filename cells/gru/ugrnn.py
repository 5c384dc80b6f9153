"""The update gate recurrent network: one gate that mixes the old state with a vanilla update."""

from typing import Any

import keras

from seqzoo.cells.activation_gradients import derivative, have_derivatives
from seqzoo.cells.gates import CellWithGates


@keras.saving.register_keras_serializable(package="seqzoo")
class UGRNNCell(CellWithGates):
    """A vanilla recurrent network with one update gate g, which keeps the old state.

        n = tanh(Wn x + Un h + bn)
        g = sigmoid(Wg x + Ug h + bg)
        h = g * h + (1 - g) * n

    Columns: candidate, update. h stays between -1 and 1 if it starts there.

    For one or two layers; in deep stacks the paper's other cell, `intersection-rnn`, trains more
    easily.

    Reference: Collins, Sohl-Dickstein and Sussillo, "Capacity and Trainability in Recurrent Neural
    Networks", ICLR 2017.

    Args:
        units: size of the state.
        update_bias: initial value of bg; if it is positive, the state is kept longer.
        **kwargs: see `RecurrentCell`.
    """

    gates = ("candidate", "update")

    def __init__(self, units: int, *, update_bias: float = 0.0, **kwargs: Any):
        super().__init__(units, **kwargs)
        self.update_bias = update_bias

    def initial_bias(self, shape, dtype=None):
        bias = super().initial_bias(shape, dtype)
        return self.with_gate_bias(bias, "update", self.update_bias) if self.update_bias else bias

    def step(self, x, r, states):
        h, new, _ = self.step_with_values(x, r, states)
        return h, new

    @property
    def has_step_gradient(self):
        return have_derivatives(self.activation, self.recurrent_activation)

    def step_with_values(self, x, r, states):
        (h,) = states
        n = self.activation(x.candidate + r.candidate)
        g = self.recurrent_activation(x.update + r.update)
        new = g * h + (1 - g) * n
        return new, [new], (n, g, h)

    def step_gradient(self, values, d_states):
        (n, g, h), (dh,) = values, d_states
        d_candidate = dh * (1 - g) * derivative(self.activation, n)
        d_update = dh * (h - n) * derivative(self.recurrent_activation, g)
        return [d_candidate, d_update], None, [dh * g]

    def get_config(self) -> dict:
        return {**super().get_config(), "update_bias": self.update_bias}
