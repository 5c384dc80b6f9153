"""Long short-term memory, with a forget gate and without peepholes."""

from typing import Any

import keras
from keras import ops

from seqzoo.cells.activation_gradients import derivative, have_derivatives
from seqzoo.cells.base import RecurrentCell
from seqzoo.cells.options import from_keras


@keras.saving.register_keras_serializable(package="seqzoo")
class LSTMCell(RecurrentCell):
    """A memory c, with gates for what is added to it, what is forgotten and what is output.

        i = sigmoid(Wi x + Ui h + bi)
        f = sigmoid(Wf x + Uf h + bf)
        g = tanh(Wg x + Ug h + bg)
        o = sigmoid(Wo x + Uo h + bo)
        c = f * c + i * g
        h = o * tanh(c)

    States are [h, c]. Weights have the shapes and the column order (input, forget, candidate,
    output) of `keras.layers.LSTM`, and can be copied in both directions.

    Reference: Gers, Schmidhuber and Cummins, "Learning to Forget", Neural Computation 12 (2000);
    the forget bias of one: Jozefowicz, Zaremba and Sutskever, "An Empirical Exploration of
    Recurrent Network Architectures", ICML 2015, section 3.2.

    Args:
        units: size of h and of c.
        recurrent_activation: nonlinearity of the three gates.
        unit_forget_bias: whether bf starts at one.
        **kwargs: see `RecurrentCell`.
    """

    cudnn = "lstm"
    gates = ("input", "forget", "candidate", "output")

    def __init__(
        self,
        units: int,
        *,
        recurrent_activation: Any = "sigmoid",
        unit_forget_bias: bool = True,
        **kwargs: Any,
    ):
        super().__init__(units, **kwargs)
        self.recurrent_activation = from_keras("recurrent_activation", recurrent_activation)
        self.unit_forget_bias = unit_forget_bias

    @property
    def state_size(self):
        return [self.units, self.units]

    def initial_bias(self, shape, dtype=None):
        bias = super().initial_bias(shape, dtype)
        if not self.unit_forget_bias:
            return bias
        i, _, g, o = ops.split(bias, 4)
        return ops.concatenate([i, ops.ones_like(i), g, o])

    def step(self, x, r, states):
        h, new, _ = self.step_with_values(x, r, states)
        return h, new

    @property
    def has_step_gradient(self):
        return have_derivatives(self.activation, self.recurrent_activation)

    def step_with_values(self, x, r, states):
        _, c = states
        i = self.recurrent_activation(x.input + r.input)
        f = self.recurrent_activation(x.forget + r.forget)
        g = self.activation(x.candidate + r.candidate)
        o = self.recurrent_activation(x.output + r.output)
        new_c = f * c + i * g
        h = o * self.activation(new_c)
        return h, [h, new_c], (i, f, g, o, c)

    def step_gradient(self, values, d_states):
        (i, f, g, o, c), (dh, dc) = values, d_states
        y = self.activation(f * c + i * g)
        dc = dc + dh * o * derivative(self.activation, y)
        d_input = dc * g * derivative(self.recurrent_activation, i)
        d_forget = dc * c * derivative(self.recurrent_activation, f)
        d_candidate = dc * i * derivative(self.activation, g)
        d_output = dh * y * derivative(self.recurrent_activation, o)
        return [d_input, d_forget, d_candidate, d_output], None, [ops.zeros_like(dh), dc * f]

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "recurrent_activation": keras.activations.serialize(self.recurrent_activation),
            "unit_forget_bias": self.unit_forget_bias,
        }
