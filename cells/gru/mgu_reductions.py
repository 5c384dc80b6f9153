"""The three reductions of the minimal gated unit, whose gates do not see the input."""

from typing import Any

from keras import ops, saving

from seqzoo.cells.gates import CellWithGates, masked


@saving.register_keras_serializable(package="seqzoo")
class MGU1Cell(CellWithGates):
    """A minimal gated unit whose gate sees the state and a bias.

        f = sigmoid(Uf h + bf)
        n = tanh(Wn x + Un (f * h) + bn)
        h = (1 - f) * h + f * n

    Columns of W: candidate; of U and of the bias: forget, candidate.

    Reference: Heck and Salem, "Simplified Minimal Gated Unit Variations for Recurrent Neural
    Networks", IEEE MWSCAS 2017, arXiv 1701.03452, variant MGU1.

    Args:
        units: size of the state.
        **kwargs: see `RecurrentCell`.
    """

    gates = ("candidate",)
    recurrent_gates = ("forget", "candidate")
    biased_gates = ("forget", "candidate")

    def input_bias(self):
        return None if self.bias is None else ops.convert_to_tensor(self.bias)[self.units :]

    def advance(self, x, states, recurrent_mask=None):
        (h,) = states
        m = masked(h, recurrent_mask)
        Uf, Un = ops.split(self.recurrent_matrix(), 2, axis=1)
        s = ops.matmul(m, Uf)
        if self.bias is not None:
            s = s + ops.convert_to_tensor(self.bias)[: self.units]
        f = self.recurrent_activation(s)
        h = (1 - f) * h + f * self.activation(x + ops.matmul(f * m, Un))
        return h, [h]


@saving.register_keras_serializable(package="seqzoo")
class MGU2Cell(CellWithGates):
    """A minimal gated unit whose gate sees only the state.

        f = sigmoid(Uf h)
        n = tanh(Wn x + Un (f * h) + bn)
        h = (1 - f) * h + f * n

    Columns of W and of the bias: candidate; of U: forget, candidate. The paper finds it the best of
    the three, as good as the MGU.

    Reference: Heck and Salem, "Simplified Minimal Gated Unit Variations for Recurrent Neural
    Networks", IEEE MWSCAS 2017, arXiv 1701.03452, variant MGU2.

    Args:
        units: size of the state.
        **kwargs: see `RecurrentCell`.
    """

    gates = ("candidate",)
    recurrent_gates = ("forget", "candidate")

    def advance(self, x, states, recurrent_mask=None):
        (h,) = states
        m = masked(h, recurrent_mask)
        Uf, Un = ops.split(self.recurrent_matrix(), 2, axis=1)
        f = self.recurrent_activation(ops.matmul(m, Uf))
        h = (1 - f) * h + f * self.activation(x + ops.matmul(f * m, Un))
        return h, [h]


@saving.register_keras_serializable(package="seqzoo")
class MGU3Cell(CellWithGates):
    """A minimal gated unit whose gate is only a bias: each unit learns a constant speed.

        f = sigmoid(bf)
        n = tanh(Wn x + Un (f * h) + bn)
        h = (1 - f) * h + f * n

    bf is the weight `forget_bias`. The smallest of the three, and the weakest in the paper.

    Reference: Heck and Salem, "Simplified Minimal Gated Unit Variations for Recurrent Neural
    Networks", IEEE MWSCAS 2017, arXiv 1701.03452, variant MGU3.

    Args:
        units: size of the state.
        **kwargs: see `RecurrentCell`.
    """

    gates = ("candidate",)
    unit_weights = ("forget_bias",)

    def recurrent_matrix(self) -> Any:
        f = self.recurrent_activation(ops.convert_to_tensor(self.forget_bias))
        return f[:, None] * super().recurrent_matrix()

    def step(self, x, r, states, weights):
        (h,) = states
        f = self.recurrent_activation(weights.forget_bias)
        h = (1 - f) * h + f * self.activation(x.candidate + r.candidate)
        return h, [h]
