"""The simple recurrent unit."""

import keras
from keras import ops

from seqzoo.cells.base import RecurrentCell


@keras.saving.register_keras_serializable(package="seqzoo")
class SRUCell(RecurrentCell):
    """A light recurrence: matrices multiply only the input, vectors the memory.

        f = sigmoid(Wf x + vf * c + bf)
        r = sigmoid(Wr x + vr * c + br)
        c = f * c + (1 - f) * (W x)
        h = r * c + (1 - r) * (V x)

    Both gates see the memory before the step. V replaces the paper's highway connection, which
    needs as many features as units; V is present even if the two are equal. States are [h, c]; a
    step has no matrix product. Columns: candidate, forget, reset, skip. The initial vf and vr are
    uniform from -1 to 1. Stack several layers: the paper uses 4 to 12.

    Reference: Lei, Zhang, Wang, Dai and Artzi, "Simple Recurrent Units for Highly Parallelizable
    Recurrence", EMNLP 2018, equations 1 to 4.

    Args:
        units: size of h and of c.
        **kwargs: see `RecurrentCell`; `bias_initializer` is that of bf and br.
    """

    gates = ("candidate", "forget", "reset", "skip")
    recurrent_gates = ()
    biased_gates = ("forget", "reset")
    unit_weights = ("forget_weight", "reset_weight")
    recurrent_names = unit_weights
    unused_options = ("activation", "recurrent_initializer")

    @property
    def state_size(self):
        return [self.units, self.units]

    def initial_unit_weight(self, name, shape, dtype=None):
        return keras.initializers.RandomUniform(-1, 1)(shape, dtype=dtype)

    def step(self, x, r, states, w):
        h, new, _ = self.step_with_values(x, r, states, w)
        return h, new

    @property
    def has_step_gradient(self):
        return True

    def step_with_values(self, x, r, states, w):
        _, before = states
        f = ops.sigmoid(x.forget + w.forget_weight * before)
        reset = ops.sigmoid(x.reset + w.reset_weight * before)
        c = x.candidate + f * (before - x.candidate)
        h = x.skip + reset * (c - x.skip)
        return h, [h, c], (x.candidate, f, reset, x.skip, before, c)

    def step_gradient(self, values, d_states, w):
        (n, f, reset, skip, before, c), (dh, dc) = values, d_states
        dc = dc + dh * reset
        df = dc * (before - n) * f * (1 - f)
        d_reset = dh * (c - skip) * reset * (1 - reset)
        d_before = dc * f + df * w.forget_weight + d_reset * w.reset_weight
        dx = [dc * (1 - f), df, d_reset, dh * (1 - reset)]
        return dx, None, [ops.zeros_like(dh), d_before], (df * before, d_reset * before)
