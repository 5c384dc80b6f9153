"""The simple gated recurrence: one gate that mixes the old state with a candidate."""

from typing import Any

import keras

from seqzoo.cells.activation_gradients import derivative, have_derivatives
from seqzoo.cells.base import RecurrentCell
from seqzoo.cells.options import from_keras


@keras.saving.register_keras_serializable(package="seqzoo")
class GatedCell(RecurrentCell):
    """One gate decides, unit by unit, how much of the state a candidate replaces.

        g = sigmoid(Wg x + Ug h + bg)
        h = (1 - g) * h + g * f(W x + U h + b)

    There is no bg unless `gate_bias` is set. Columns: gate, candidate.

    Args:
        units: size of the state.
        recurrent_activation: nonlinearity of the gate.
        gate_bias: whether the gate has a bias; requires `use_bias`.
        **kwargs: see `RecurrentCell`.

    Raises:
        ValueError: `gate_bias` is set without `use_bias`.
    """

    gates = ("gate", "candidate")

    def __init__(
        self,
        units: int,
        *,
        recurrent_activation: Any = "sigmoid",
        gate_bias: bool = False,
        **kwargs: Any,
    ):
        super().__init__(units, **kwargs)
        if gate_bias and not self.use_bias:
            raise ValueError("`gate_bias=True` needs `use_bias=True`, got `use_bias=False`.")
        self.recurrent_activation = from_keras("recurrent_activation", recurrent_activation)
        self.gate_bias = gate_bias

    @property
    def biased_gates(self):
        return self.gates if self.gate_bias else ("candidate",)

    def step(self, x, r, states):
        h, new, _ = self.step_with_values(x, r, states)
        return h, new

    @property
    def has_step_gradient(self):
        return have_derivatives(self.activation, self.recurrent_activation)

    def step_with_values(self, x, r, states):
        (h,) = states
        g = self.recurrent_activation(x.gate + r.gate)
        n = self.activation(x.candidate + r.candidate)
        new = (1 - g) * h + g * n
        return new, [new], (g, n, h)

    def step_gradient(self, values, d_states):
        (g, n, h), (dh,) = values, d_states
        d_gate = dh * (n - h) * derivative(self.recurrent_activation, g)
        d_candidate = dh * g * derivative(self.activation, n)
        return [d_gate, d_candidate], None, [dh * (1 - g)]

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "recurrent_activation": keras.activations.serialize(self.recurrent_activation),
            "gate_bias": self.gate_bias,
        }
