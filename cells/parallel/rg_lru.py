"""The real-gated linear recurrent unit."""

from typing import Any

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

    l is initialised so that a is uniform between 0.9 and 0.999 where r is one. W is the linear
    layer that precedes the recurrence in the paper's block. The recurrence is linear in h; a step
    has no matrix product. Columns: recurrence, input, candidate.

    Reference: De et al., "Griffin: Mixing Gated Linear Recurrences with Local Attention for
    Efficient Language Models", arXiv 2402.19427 (2024), section 2.4.

    Args:
        units: size of the state.
        **kwargs: see `RecurrentCell`.
    """

    gates = ("recurrence", "input", "candidate")
    recurrent_gates = ()
    unit_weights = ("decay",)
    unused_options = ("activation", "recurrent_initializer")

    def initial_unit_weight(self, name, shape, dtype=None):
        a = self.random_numbers().uniform(0.9, 0.999, shape)
        return ops.cast(np.log(np.expm1(-np.log(a) / 8)), dtype)  # inverse of softplus

    def step_weights(self):
        ((decay,),) = super().step_weights()
        return (self.UnitWeights(-8 * ops.softplus(decay)),)

    def step(self, x, r, states, w):
        h, new, _ = self.step_with_values(x, r, states, w)
        return h, new

    @property
    def has_step_gradient(self):
        return True

    def step_with_values(self, x, r, states, w):
        (h,) = states
        gate, i = ops.sigmoid(x.recurrence), ops.sigmoid(x.input)
        # a = exp(2 y) and b = sqrt(1 - a^2), computed from t = -tanh(y) to avoid cancellation.
        t = -ops.tanh(0.5 * w.decay * gate)
        a = (1 - t) / (1 + t)
        b = 2 * ops.sqrt(ops.maximum(t, smallest_normal(h.dtype))) / (1 + t)
        new = a * h + b * i * x.candidate
        return new, [new], (gate, i, x.candidate, a, b, h)

    def step_gradient(self, values, d_states, w):
        (gate, i, n, a, b, h), (dh,) = values, d_states
        db, dn = dh * i * n, dh * b
        # No gradient where the maximum clips t: there b^2 is four times the smallest normal number.
        slope = ops.where(b * b > 5 * smallest_normal(h.dtype), -a * a / b, ops.zeros_like(b))
        d_log = dh * h * a + db * slope
        d_gate = w.decay * d_log
        dx = [d_gate * gate * (1 - gate), dn * n * i * (1 - i), dn * i]
        return dx, None, [dh * a], (d_log * gate,)


def smallest_normal(dtype: Any) -> float:
    """The smallest normal number, as a Python float, since NumPy's would promote bfloat16."""
    half = keras.backend.standardize_dtype(dtype) == "float16"
    return float(np.finfo("float16" if half else "float32").tiny)
