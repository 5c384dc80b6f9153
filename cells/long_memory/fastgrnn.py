"""A gated recurrence whose gate and candidate share their matrices."""

import keras
from keras import ops

from seqzoo.cells.base import RecurrentCell


@keras.saving.register_keras_serializable(package="seqzoo")
class FastGRNNCell(RecurrentCell):
    """Gate and candidate share one pair of matrices and differ only in their biases.

        z = sigmoid(W x + U h + bz)
        h = (sigmoid(a) * (1 - z) + sigmoid(c)) * tanh(W x + U h + b) + z * h

    For small devices: hardly more weights than a vanilla recurrence. a is the weight `zeta` and
    starts at 1, c is `nu` and starts at -4, as in the authors' code. Biases: gate, candidate.

    Reference: Kusupati et al., "FastGRNN: A Fast, Accurate, Stable and Tiny Kilobyte Sized Gated
    Recurrent Neural Network", NeurIPS 2018, section 3.2.

    Args:
        units: size of the state.
        **kwargs: see `RecurrentCell`.
    """

    gates = ("gate", "candidate")
    recurrent_gates = ("shared",)
    unit_weights = ("zeta", "nu")

    def kernel_shape(self, features):
        return (features, self.units)

    def unit_weight_shape(self, name):
        return (1,)

    def initial_unit_weight(self, name, shape, dtype=None):
        return ops.full(shape, {"zeta": 1.0, "nu": -4.0}[name], dtype)

    def project(self, inputs):
        x = ops.matmul(inputs, self.input_matrix())
        x = ops.concatenate([x, x], -1)
        bias = self.input_bias()
        return x if bias is None else x + bias

    def step(self, x, r, states, w):
        (h,) = states
        z = ops.sigmoid(x.gate + r.shared)
        candidate = self.activation(x.candidate + r.shared)
        h = (ops.sigmoid(w.zeta) * (1 - z) + ops.sigmoid(w.nu)) * candidate + z * h
        return h, [h]
