"""A vanilla recurrence with a weighted residual connection."""

import keras
from keras import ops

from seqzoo.cells.base import RecurrentCell


@keras.saving.register_keras_serializable(package="seqzoo")
class FastRNNCell(RecurrentCell):
    """Two scalars, shared by all units, weight the candidate and the old state.

        h = sigmoid(a) * tanh(W x + U h + b) + sigmoid(c) * h

    For small devices: only two more weights than a vanilla recurrence, and stable training. a is
    `candidate_weight` and starts at -3, c is `residual_weight` and starts at 3, so that the state
    changes slowly at first.

    Reference: Kusupati et al., "FastGRNN: A Fast, Accurate, Stable and Tiny Kilobyte Sized Gated
    Recurrent Neural Network", NeurIPS 2018, section 3.1.

    Args:
        units: size of the state.
        **kwargs: see `RecurrentCell`.
    """

    gates = ("candidate",)
    unit_weights = ("candidate_weight", "residual_weight")

    def unit_weight_shape(self, name):
        return (1,)

    def initial_unit_weight(self, name, shape, dtype=None):
        return ops.full(shape, {"candidate_weight": -3.0, "residual_weight": 3.0}[name], dtype)

    def step(self, x, r, states, w):
        (h,) = states
        candidate = self.activation(x.candidate + r.candidate)
        h = ops.sigmoid(w.candidate_weight) * candidate + ops.sigmoid(w.residual_weight) * h
        return h, [h]
