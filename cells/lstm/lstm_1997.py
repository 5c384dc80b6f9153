"""Long short-term memory as first published: no forget gate."""

from typing import Any

import keras

from seqzoo.cells.gates import CellWithGates


@keras.saving.register_keras_serializable(package="seqzoo")
class LSTM1997Cell(CellWithGates):
    """The first LSTM: a memory c that never decays, between input and output gates.

        i = sigmoid(Wi x + Ui h + bi)
        g = 2 * tanh((Wg x + Ug h + bg) / 2)
        o = sigmoid(Wo x + Uo h + bo)
        c = c + i * g
        h = o * tanh(c / 2)

    States are [h, c]. Columns: input, candidate, output. The paper squashes with 4 * sigmoid(z) - 2
    and 2 * sigmoid(z) - 1, which are the two scaled tanh functions above; RecurrentLayers.jl uses
    plain tanh in both places. Here each memory block has one cell. The paper initialises the output
    gates' biases to negative values, so that the memory is not misused as a bias.

    For sequences of bounded length, or for measuring the benefit of forgetting.

    Reference: Hochreiter and Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8), 1997,
    section 4 and appendix A.1.

    Args:
        units: size of h and of c.
        output_gate_bias: initial value of bo.
        **kwargs: see `RecurrentCell`.
    """

    gates = ("input", "candidate", "output")

    def __init__(self, units: int, *, output_gate_bias: float = -1.0, **kwargs: Any):
        super().__init__(units, **kwargs)
        self.output_gate_bias = output_gate_bias

    @property
    def state_size(self):
        return [self.units, self.units]

    def initial_bias(self, shape, dtype=None):
        bias = super().initial_bias(shape, dtype)
        return self.with_gate_bias(bias, "output", self.output_gate_bias)

    def step(self, x, r, states):
        _, c = states
        i = self.recurrent_activation(x.input + r.input)
        g = 2 * self.activation((x.candidate + r.candidate) / 2)
        o = self.recurrent_activation(x.output + r.output)
        c = c + i * g
        h = o * self.activation(c / 2)
        return h, [h, c]

    def get_config(self) -> dict:
        return {**super().get_config(), "output_gate_bias": self.output_gate_bias}
