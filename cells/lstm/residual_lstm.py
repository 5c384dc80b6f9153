"""Long short-term memory with a shortcut from its input to its output, for deep stacks."""

from typing import Any

import keras
from keras import ops

from seqzoo.cells.gates import CellWithShortcut, clone_initializer, masked


@keras.saving.register_keras_serializable(package="seqzoo")
class ResidualLSTMCell(CellWithShortcut):
    """An LSTM with peepholes and a projection; the input is added before the output gate.

        i = sigmoid(Wi x + Ui h + pi * c + bi)
        f = sigmoid(Wf x + Uf h + pf * c + bf)
        g = tanh(Wg x + Ug h + bg)
        c = f * c + i * g
        o = sigmoid(Wo x + Uo h + po * c + bo)
        h = o * (P tanh(c) + s)

    s is x if it has as many features as the cell has units, as in the paper's upper layers,
    otherwise Ws x. States are [h, c]. Columns: input, forget, candidate, output.

    For deep stacks: in the paper the error decreases up to ten layers, while an LSTM's increases.

    Reference: Kim, El-Khamy and Lee, "Residual LSTM: Design of a Deep Recurrent Architecture for
    Distant Speech Recognition", Interspeech 2017.

    Args:
        units: size of h and of c.
        unit_forget_bias: whether bf starts at one.
        **kwargs: see `RecurrentCell`.
    """

    gates = ("input", "forget", "candidate", "output")
    projection_kernel: Any = None
    peephole: Any = None

    def __init__(self, units: int, *, unit_forget_bias: bool = True, **kwargs: Any):
        super().__init__(units, **kwargs)
        self.unit_forget_bias = unit_forget_bias

    @property
    def state_size(self):
        return [self.units, self.units]

    def initial_bias(self, shape, dtype=None):
        bias = super().initial_bias(shape, dtype)
        return self.with_gate_bias(bias, "forget", 1) if self.unit_forget_bias else bias

    def build(self, input_shape):
        super().build(input_shape)
        self.projection_kernel = self.add_weight(
            shape=(self.units, self.units),
            name="projection_kernel",
            initializer=clone_initializer(self.kernel_initializer),
        )
        self.peephole = self.add_weight(shape=(3, self.units), name="peephole", initializer="zeros")

    def advance(self, x, states, recurrent_mask=None):
        h, c = states
        x, s = self.split_shortcut(x)
        r = self.split_recurrent(self.recur(masked(h, recurrent_mask)))
        pi, pf, po = ops.unstack(ops.convert_to_tensor(self.peephole))
        i = self.recurrent_activation(x.input + r.input + pi * c)
        f = self.recurrent_activation(x.forget + r.forget + pf * c)
        g = self.activation(x.candidate + r.candidate)
        c = f * c + i * g
        o = self.recurrent_activation(x.output + r.output + po * c)
        h = o * (ops.matmul(self.activation(c), ops.convert_to_tensor(self.projection_kernel)) + s)
        return h, [h, c]

    def get_config(self) -> dict:
        return {**super().get_config(), "unit_forget_bias": self.unit_forget_bias}
