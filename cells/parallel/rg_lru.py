"""The real-gated linear recurrent unit."""

import keras
import numpy as np
from keras import ops

from seqzoo.cells.base import RecurrentCell


@keras.saving.register_keras_serializable(package="seqzoo")
class RGLRUCell(RecurrentCell):
    """Each unit has its own decay, which a gate moves closer to one.

        r = sigmoid(Wr x + br)
        i = sigmoid(Wi x + bi)
        a = exp(-8 * softplus(l) * r)
        h = a * h + sqrt(1 - a^2) * (i * (W x + b))

    l starts so that a is uniform from 0.9 to 0.999 where r is one. W is the linear layer that comes
    before the recurrence in the paper's block. The recurrence is linear in h; a step has no matrix
    product. Columns: recurrence, input, candidate.

    Reference: De et al., "Griffin: Mixing Gated Linear Recurrences with Local Attention for
    Efficient Language Models", arXiv 2402.19427 (2024), section 2.4.

    Args:
        units: size of the state.
        **kwargs: see `RecurrentCell`; `activation` is not used.
    """

    gates = ("recurrence", "input", "candidate")
    recurrent_gates = ()
    unit_weights = ("decay",)

    def initial_unit_weight(self, name, shape, dtype=None):
        a = self.random_numbers().uniform(0.9, 0.999, shape)
        return ops.cast(np.log(np.expm1(-np.log(a) / 8)), dtype)  # inverse of softplus

    def step(self, x, r, states, w):
        (h,) = states
        log_a = -8 * ops.softplus(w.decay) * ops.sigmoid(x.recurrence)
        # 1 - a^2 without cancellation; the square root has no gradient at zero.
        half = keras.backend.standardize_dtype(h.dtype) == "float16"
        smallest = np.finfo("float16" if half else "float32").tiny
        # As Python's number: NumPy's would make float32 of bfloat16.
        rest = ops.maximum(-ops.expm1(2 * log_a), float(smallest))
        h = ops.exp(log_a) * h + ops.sqrt(rest) * ops.sigmoid(x.input) * x.candidate
        return h, [h]
