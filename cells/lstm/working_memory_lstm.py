"""Long short-term memory whose gates see a squashed projection of the memory."""

from typing import Any

import keras
from keras import ops

from seqzoo.cells.gates import CellWithGates, clone_initializer, masked


@keras.saving.register_keras_serializable(package="seqzoo")
class WorkingMemoryLSTMCell(CellWithGates):
    """An LSTM with working memory connections V from the memory to the gates.

        i = sigmoid(Wi x + Ui h + tanh(Vi c) + bi)
        f = sigmoid(Wf x + Uf h + tanh(Vf c) + bf)
        g = tanh(Wg x + Ug h + bg)
        c = f * c + i * g
        o = sigmoid(Wo x + Uo h + tanh(Vo c) + bo)
        h = o * tanh(c)

    States are [h, c]. Columns: input, forget, candidate, output; those of V, the weight
    `memory_kernel`: input, forget, output. Unlike with peepholes, tanh keeps a large memory from
    saturating the gates. RecurrentLayers.jl omits Ug h; torchrecurrent documents the connections
    without tanh.

    For sequences that are too long for an LSTM: in the paper it improves on the LSTM in copying,
    adding, pixel-by-pixel digits, character-level language modelling and image captioning.

    Reference: Landi, Baraldi, Cornia and Cucchiara, "Working Memory Connections for LSTM", Neural
    Networks 144, 2021.

    Args:
        units: size of h and of c.
        unit_forget_bias: whether bf starts at one.
        **kwargs: see `RecurrentCell`.
    """

    gates = ("input", "forget", "candidate", "output")
    memory_kernel: Any = None

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
        self.memory_kernel = self.add_weight(
            shape=(self.units, 3 * self.units),
            name="memory_kernel",
            initializer=clone_initializer(self.kernel_initializer),
        )

    def advance(self, x, states, recurrent_mask=None):
        h, c = states
        x, r = self.split(x), self.split_recurrent(self.recur(masked(h, recurrent_mask)))
        before, after = ops.split(
            ops.convert_to_tensor(self.memory_kernel), [2 * self.units], axis=1
        )
        memory = ops.split(ops.matmul(masked(c, recurrent_mask), before), 2, axis=-1)
        memory_input, memory_forget = map(self.activation, memory)
        i = self.recurrent_activation(x.input + r.input + memory_input)
        f = self.recurrent_activation(x.forget + r.forget + memory_forget)
        g = self.activation(x.candidate + r.candidate)
        c = f * c + i * g
        memory_output = self.activation(ops.matmul(masked(c, recurrent_mask), after))
        o = self.recurrent_activation(x.output + r.output + memory_output)
        h = o * self.activation(c)
        return h, [h, c]

    def get_config(self) -> dict:
        return {**super().get_config(), "unit_forget_bias": self.unit_forget_bias}
