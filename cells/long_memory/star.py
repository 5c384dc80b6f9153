"""The stackable recurrence."""

import keras
from keras import ops

from seqzoo.cells.base import RecurrentCell


@keras.saving.register_keras_serializable(package="seqzoo")
class STARCell(RecurrentCell):
    """One gate, and a candidate that sees only the input; made for deep stacks.

        z = tanh(W x + b)
        k = sigmoid(Wk x + Uk h + bk)
        h = tanh((1 - k) * h + k * z)

    Gradients keep their size across layers as well as across steps: stack up to twelve layers.
    Columns: candidate, gate, of which only the gate has a recurrent product.

    Reference: Turkoglu, D'Aronco, Wegner and Schindler, "Gating Revisited: Deep Multi-layer RNNs
    That Can Be Trained", IEEE TPAMI 44 (2022), arXiv 1911.11033, equation 9.

    Args:
        units: size of the state.
        **kwargs: see `RecurrentCell`.
    """

    gates = ("candidate", "gate")
    recurrent_gates = ("gate",)

    def step(self, x, r, states):
        (h,) = states
        k = ops.sigmoid(x.gate + r.gate)
        h = self.activation((1 - k) * h + k * self.activation(x.candidate))
        return h, [h]
