"""The chaos-free network."""

from keras import saving

from seqzoo.cells.gates import CellWithGates


@saving.register_keras_serializable(package="seqzoo")
class CFNCell(CellWithGates):
    """Two gates scale the squashed state and the squashed input; without inputs, the state decays.

        f = sigmoid(Wf x + Uf h + bf)
        i = sigmoid(Wi x + Ui h + bi)
        h = f * tanh(h) + i * tanh(Wn x)

    Columns: forget, input, candidate; the last has neither a recurrent product nor a bias
    (RecurrentLayers.jl gives it a bias). The paper writes theta for f and eta for i, and
    initialises bf to one and bi to minus one.

    For interpretable language models: the dynamics are never chaotic.

    Reference: Laurent and von Brecht, "A Recurrent Neural Network without Chaos", ICLR 2017,
    equations 1 to 3.

    Args:
        units: size of the state.
        **kwargs: see `RecurrentCell`.
    """

    gates = ("forget", "input", "candidate")
    recurrent_gates = ("forget", "input")
    biased_gates = ("forget", "input")
    unused_options = ("bias_initializer",)

    def initial_bias(self, shape, dtype=None):
        bias = super().initial_bias(shape, dtype)
        return self.with_gate_bias(self.with_gate_bias(bias, "forget", 1), "input", -1)

    def step(self, x, r, states):
        (h,) = states
        f = self.recurrent_activation(x.forget + r.forget)
        i = self.recurrent_activation(x.input + r.input)
        h = f * self.activation(h) + i * self.activation(x.candidate)
        return h, [h]
