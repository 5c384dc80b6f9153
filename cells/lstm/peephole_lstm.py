"""Long short-term memory whose gates see the memory."""

from typing import Any

import keras
from keras import ops

from seqzoo.cells.activation_gradients import derivative, have_derivatives
from seqzoo.cells.gates import CellWithGates


@keras.saving.register_keras_serializable(package="seqzoo")
class PeepholeLSTMCell(CellWithGates):
    """An LSTM whose gates see the memory through peepholes p, with one weight per unit.

        i = sigmoid(Wi x + Ui h + pi * c + bi)
        f = sigmoid(Wf x + Uf h + pf * c + bf)
        g = tanh(Wg x + Ug h + bg)
        c = f * c + i * g
        o = sigmoid(Wo x + Uo h + po * c + bo)
        h = o * tanh(c)

    States are [h, c]. Columns: input, forget, candidate, output. The output gate sees the new c, as
    in the papers; in RecurrentLayers.jl it sees the old one.

    For precise timing and counting, where a closed output gate would hide the memory from the
    gates. Peepholes start at zero, so that the cell starts as an LSTM.

    Reference: Gers and Schmidhuber, "Recurrent Nets that Time and Count", IJCNN 2000; Gers,
    Schraudolph and Schmidhuber, "Learning Precise Timing with LSTM Recurrent Networks", Journal of
    Machine Learning Research 3, 2002.

    Args:
        units: size of h and of c.
        unit_forget_bias: whether bf starts at one.
        **kwargs: see `RecurrentCell`.
    """

    gates = ("input", "forget", "candidate", "output")
    unit_weights = ("input_peephole", "forget_peephole", "output_peephole")

    def __init__(self, units: int, *, unit_forget_bias: bool = True, **kwargs: Any):
        super().__init__(units, **kwargs)
        self.unit_forget_bias = unit_forget_bias

    @property
    def state_size(self):
        return [self.units, self.units]

    def initial_bias(self, shape, dtype=None):
        bias = super().initial_bias(shape, dtype)
        return self.with_gate_bias(bias, "forget", 1) if self.unit_forget_bias else bias

    def step(self, x, r, states, weights):
        h, new, _ = self.step_with_values(x, r, states, weights)
        return h, new

    @property
    def has_step_gradient(self):
        return have_derivatives(self.activation, self.recurrent_activation)

    def step_with_values(self, x, r, states, weights):
        _, c = states
        i = self.recurrent_activation(x.input + r.input + weights.input_peephole * c)
        f = self.recurrent_activation(x.forget + r.forget + weights.forget_peephole * c)
        g = self.activation(x.candidate + r.candidate)
        new_c = f * c + i * g
        o = self.recurrent_activation(x.output + r.output + weights.output_peephole * new_c)
        h = o * self.activation(new_c)
        return h, [h, new_c], (i, f, g, o, c)

    def step_gradient(self, values, d_states, weights):
        (i, f, g, o, c), (dh, dc) = values, d_states
        new_c = f * c + i * g
        y = self.activation(new_c)
        d_output = dh * y * derivative(self.recurrent_activation, o)
        dc = dc + dh * o * derivative(self.activation, y) + d_output * weights.output_peephole
        d_input = dc * g * derivative(self.recurrent_activation, i)
        d_forget = dc * c * derivative(self.recurrent_activation, f)
        d_candidate = dc * i * derivative(self.activation, g)
        d_c = dc * f + d_input * weights.input_peephole + d_forget * weights.forget_peephole
        dx = [d_input, d_forget, d_candidate, d_output]
        d_weights = [d_input * c, d_forget * c, d_output * new_c]
        return dx, None, [ops.zeros_like(dh), d_c], d_weights

    def get_config(self) -> dict:
        return {**super().get_config(), "unit_forget_bias": self.unit_forget_bias}
