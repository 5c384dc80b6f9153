"""Long short-term memory with coupled input and forget gates."""

from typing import Any

import keras
from keras import ops

from seqzoo.cells.activation_gradients import derivative, have_derivatives
from seqzoo.cells.gates import CellWithGates


@keras.saving.register_keras_serializable(package="seqzoo")
class CoupledLSTMCell(CellWithGates):
    """An LSTM that forgets as much as it takes in: its input gate is one minus its forget gate.

        i = sigmoid(Wi x + Ui h + bi)
        g = tanh(Wg x + Ug h + bg)
        o = sigmoid(Wo x + Uo h + bo)
        c = (1 - i) * c + i * g
        h = o * tanh(c)

    States are [h, c]. Columns: input, candidate, output. c stays between -1 and 1 if it starts
    there. The paper's variants all have peepholes, which are omitted here.

    A smaller LSTM that performs equally well: the paper finds no significant difference on three
    tasks.

    Reference: Greff, Srivastava, Koutnik, Steunebrink and Schmidhuber, "LSTM: A Search Space
    Odyssey", IEEE Transactions on Neural Networks and Learning Systems 28(10), 2017, variant CIFG.

    Args:
        units: size of h and of c.
        unit_forget_bias: whether bi starts at minus one, which corresponds to a forget bias of one
            in an LSTM.
        **kwargs: see `RecurrentCell`.
    """

    gates = ("input", "candidate", "output")

    def __init__(self, units: int, *, unit_forget_bias: bool = True, **kwargs: Any):
        super().__init__(units, **kwargs)
        self.unit_forget_bias = unit_forget_bias

    @property
    def state_size(self):
        return [self.units, self.units]

    def initial_bias(self, shape, dtype=None):
        bias = super().initial_bias(shape, dtype)
        return self.with_gate_bias(bias, "input", -1) if self.unit_forget_bias else bias

    def step(self, x, r, states):
        h, new, _ = self.step_with_values(x, r, states)
        return h, new

    @property
    def has_step_gradient(self):
        return have_derivatives(self.activation, self.recurrent_activation)

    def step_with_values(self, x, r, states):
        _, c = states
        i = self.recurrent_activation(x.input + r.input)
        g = self.activation(x.candidate + r.candidate)
        o = self.recurrent_activation(x.output + r.output)
        new_c = (1 - i) * c + i * g
        h = o * self.activation(new_c)
        return h, [h, new_c], (i, g, o, c)

    def step_gradient(self, values, d_states):
        (i, g, o, c), (dh, dc) = values, d_states
        y = self.activation((1 - i) * c + i * g)
        dc = dc + dh * o * derivative(self.activation, y)
        d_input = dc * (g - c) * derivative(self.recurrent_activation, i)
        d_candidate = dc * i * derivative(self.activation, g)
        d_output = dh * y * derivative(self.recurrent_activation, o)
        return [d_input, d_candidate, d_output], None, [ops.zeros_like(dh), dc * (1 - i)]

    def get_config(self) -> dict:
        return {**super().get_config(), "unit_forget_bias": self.unit_forget_bias}
