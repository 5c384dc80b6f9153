"""Long short-term memory whose recurrent matrix depends on the input."""

from typing import Any

import keras
from keras import ops

from seqzoo.cells.gates import CellWithGates, masked


@keras.saving.register_keras_serializable(package="seqzoo")
class MultiplicativeLSTMCell(CellWithGates):
    """An LSTM whose gates see, instead of the state, its product m with a projection of the input.

        m = (Wm x) * (Um h)
        i = sigmoid(Wi x + Ui m + bi)
        f = sigmoid(Wf x + Uf m + bf)
        g = tanh(Wg x + Ug m + bg)
        o = sigmoid(Wo x + Uo m + bo)
        c = f * c + i * g
        h = tanh(o * c)

    States are [h, c]. Columns of W: input, forget, candidate, output, multiplier (without a bias);
    Um is the weight `multiplier_kernel`. The output gate acts inside tanh, as in the paper;
    RecurrentLayers.jl has o * tanh(c).

    For characters and other inputs with few distinct values: each value has its own recurrent
    matrix. The paper's byte-level language models have 1,900 to 2,800 units.

    Reference: Krause, Lu, Murray and Renals, "Multiplicative LSTM for Sequence Modelling", ICLR
    2017 workshop, arXiv 1609.07959, section 3.

    Args:
        units: size of h, m and c.
        unit_forget_bias: whether bf starts at one.
        **kwargs: see `RecurrentCell`.
    """

    gates = ("input", "forget", "candidate", "output", "multiplier")
    recurrent_gates = ("input", "forget", "candidate", "output")
    biased_gates = ("input", "forget", "candidate", "output")
    multiplier_kernel: Any = None

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
        self.multiplier_kernel = self.add_weight(
            shape=(self.units, self.units),
            name="multiplier_kernel",
            initializer=self.initial_recurrent_kernel,
        )

    def advance(self, x, states, recurrent_mask=None):
        h, c = states
        x = self.split(x)
        multiplier_kernel = ops.convert_to_tensor(self.multiplier_kernel)
        m = x.multiplier * ops.matmul(masked(h, recurrent_mask), multiplier_kernel)
        r = self.split_recurrent(self.recur(m))
        i = self.recurrent_activation(x.input + r.input)
        f = self.recurrent_activation(x.forget + r.forget)
        g = self.activation(x.candidate + r.candidate)
        o = self.recurrent_activation(x.output + r.output)
        c = f * c + i * g
        h = self.activation(o * c)
        return h, [h, c]

    def get_config(self) -> dict:
        return {**super().get_config(), "unit_forget_bias": self.unit_forget_bias}
