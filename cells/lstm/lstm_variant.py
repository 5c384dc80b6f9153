"""Long short-term memory with one of its parts left out."""

from collections import namedtuple
from functools import cache
from typing import Any

import keras

from seqzoo.cells.gates import CellWithGates

PARTS = (
    "nothing",
    "input_gate",
    "forget_gate",
    "output_gate",
    "input_activation",
    "output_activation",
)


@keras.saving.register_keras_serializable(package="seqzoo")
class LSTMVariantCell(CellWithGates):
    """An LSTM without one of its parts, from an ablation study.

        i = sigmoid(Wi x + Ui h + pi * c + bi)         1 without the input gate (NIG)
        f = sigmoid(Wf x + Uf h + pf * c + bf)         1 without the forget gate (NFG)
        g = tanh(Wg x + Ug h + bg)                     without tanh: no input activation (NIAF)
        c = f * c + i * g
        o = sigmoid(Wo x + Uo h + po * c + bo)         1 without the output gate (NOG)
        h = o * tanh(c)                                without tanh: no output activation (NOAF)

    With `peepholes=False` there is no p (NP). If nothing else is removed, this is `lstm`, and with
    peepholes `peephole-lstm`; use those, which are faster. Coupled gates (CIFG) are
    `coupled-lstm`. States are [h, c]. Columns: input, forget, candidate, output, if present.
    The paper's eighth variant, full gate recurrence (FGR), is not included: it did not improve
    results significantly on any of the three tasks.

    For measuring what a part contributes on your data. The paper finds that the forget gate and the
    output activation matter most.

    Reference: Greff, Srivastava, Koutnik, Steunebrink and Schmidhuber, "LSTM: A Search Space
    Odyssey", IEEE Transactions on Neural Networks and Learning Systems 28(10), 2017, section II and
    appendix A.3.

    Args:
        units: size of h and of c.
        without: the part to remove: "nothing", "input_gate", "forget_gate", "output_gate",
            "input_activation" or "output_activation".
        peepholes: whether the gates see the memory.
        unit_forget_bias: whether bf starts at one.
        **kwargs: see `CellWithGates`.

    Raises:
        ValueError: `without` is not one of these parts.
    """

    def __init__(
        self,
        units: int,
        *,
        without: str = "nothing",
        peepholes: bool = True,
        unit_forget_bias: bool = True,
        **kwargs: Any,
    ):
        if without not in PARTS:
            raise ValueError(f"`without` must be one of {', '.join(PARTS)}, got {without!r}.")
        super().__init__(units, **kwargs)
        self.without = without
        self.peepholes = peepholes
        self.unit_forget_bias = unit_forget_bias

    @property
    def gates(self):
        names = ("input", "forget", "candidate", "output")
        return tuple(name for name in names if self.without != f"{name}_gate")

    @property
    def recurrent_gates(self):
        return self.gates

    @property
    def unit_weights(self):
        gates = [name for name in self.gates if name != "candidate"]
        return tuple(f"{name}_peephole" for name in gates) if self.peepholes else ()

    @property
    def Gates(self):
        return _named_tuple("Gates", self.gates)

    @property
    def RecurrentGates(self):
        return _named_tuple("RecurrentGates", self.gates)

    @property
    def UnitWeights(self):
        return _named_tuple("UnitWeights", self.unit_weights)

    @property
    def has_recurrent_product(self):
        return True

    @property
    def state_size(self):
        return [self.units, self.units]

    def initial_bias(self, shape, dtype=None):
        bias = super().initial_bias(shape, dtype)
        if not self.unit_forget_bias or self.without == "forget_gate":
            return bias
        return self.with_gate_bias(bias, "forget", 1)

    def step(self, x, r, states, *weights):
        _, c = states

        def gate(name, memory):
            if self.without == f"{name}_gate":
                return 1
            z = getattr(x, name) + getattr(r, name)
            for peepholes in weights:
                z = z + getattr(peepholes, f"{name}_peephole") * memory
            return self.recurrent_activation(z)

        g = x.candidate + r.candidate
        if self.without != "input_activation":
            g = self.activation(g)
        c = gate("forget", c) * c + gate("input", c) * g
        y = c if self.without == "output_activation" else self.activation(c)
        h = gate("output", c) * y
        return h, [h, c]

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "without": self.without,
            "peepholes": self.peepholes,
            "unit_forget_bias": self.unit_forget_bias,
        }


@cache
def _named_tuple(name: str, fields: tuple[str, ...]) -> Any:
    return namedtuple(name, fields)
