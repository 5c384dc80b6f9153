"""Long short-term memory with a projected output."""

from typing import Any

import keras
from keras import ops

from seqzoo.cells.gates import CellWithGates, clone_initializer, masked
from seqzoo.cells.options import whole_number


@keras.saving.register_keras_serializable(package="seqzoo")
class ProjectionLSTMCell(CellWithGates):
    """An LSTM with a large memory and a small output (LSTMP): the gates see the projection.

        i = sigmoid(Wi x + Ui h + pi * c + bi)
        f = sigmoid(Wf x + Uf h + pf * c + bf)
        g = tanh(Wg x + Ug h + bg)
        c = f * c + i * g
        o = sigmoid(Wo x + Uo h + po * c + bo)
        h = P (o * tanh(c))

    States are [h, c], of sizes `units` and `memory_units`. Columns: input, forget, candidate,
    output. The peepholes p are those of the paper; PyTorch's LSTM with `proj_size` has none. The
    paper's second projection, which is not fed back, is omitted.

    For a large memory at the cost of a small one: the paper's speech models have outputs of size
    512 for memories of 800 cells and more.

    Reference: Sak, Senior and Beaufays, "Long Short-Term Memory Recurrent Neural Network
    Architectures for Large Scale Acoustic Modeling", Interspeech 2014, equations 7 to 14.

    Args:
        units: size of h.
        memory_units: size of c; None for twice `units`.
        peepholes: whether the gates see the memory.
        unit_forget_bias: whether bf starts at one.
        **kwargs: see `RecurrentCell`.

    Raises:
        ValueError: `memory_units` is out of range.
    """

    gates = ("input", "forget", "candidate", "output")
    projection_kernel: Any = None
    peephole: Any = None

    def __init__(
        self,
        units: int,
        *,
        memory_units: int | None = None,
        peepholes: bool = True,
        unit_forget_bias: bool = True,
        **kwargs: Any,
    ):
        super().__init__(units, **kwargs)
        memory_units = whole_number("memory_units", memory_units, optional=True)
        self.memory_units = memory_units or 2 * self.units
        self.peepholes = peepholes
        self.unit_forget_bias = unit_forget_bias

    @property
    def state_size(self):
        return [self.units, self.memory_units]

    def activation_shape(self, option):
        return (self.memory_units,)

    def kernel_shape(self, features):
        return (features, 4 * self.memory_units)

    def recurrent_kernel_shape(self):
        return (self.units, 4 * self.memory_units)

    def bias_shape(self):
        return (4 * self.memory_units,)

    def initial_bias(self, shape, dtype=None):
        bias = super().initial_bias(shape, dtype)
        return self.with_gate_bias(bias, "forget", 1) if self.unit_forget_bias else bias

    def build(self, input_shape):
        super().build(input_shape)
        self.projection_kernel = self.add_weight(
            shape=(self.memory_units, self.units),
            name="projection_kernel",
            initializer=clone_initializer(self.kernel_initializer),
        )
        if self.peepholes:
            self.peephole = self.add_weight(
                shape=(3, self.memory_units), name="peephole", initializer="zeros"
            )

    def advance(self, x, states, recurrent_mask=None):
        h, c = states
        x, r = self.split(x), self.split_recurrent(self.recur(masked(h, recurrent_mask)))
        pi, pf, po = (0, 0, 0)
        if self.peephole is not None:
            pi, pf, po = ops.unstack(ops.convert_to_tensor(self.peephole))
        i = self.recurrent_activation(x.input + r.input + pi * c)
        f = self.recurrent_activation(x.forget + r.forget + pf * c)
        g = self.activation(x.candidate + r.candidate)
        c = f * c + i * g
        o = self.recurrent_activation(x.output + r.output + po * c)
        h = ops.matmul(o * self.activation(c), ops.convert_to_tensor(self.projection_kernel))
        return h, [h, c]

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "memory_units": self.memory_units,
            "peepholes": self.peepholes,
            "unit_forget_bias": self.unit_forget_bias,
        }
