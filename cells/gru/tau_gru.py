"""The gated recurrent unit with weighted time-delay feedback."""

from typing import Any

import keras
from keras import ops

from seqzoo.cells.gates import CellWithGates, masked
from seqzoo.cells.options import whole_number


@keras.saving.register_keras_serializable(package="seqzoo")
class TauGRUCell(CellWithGates):
    """A gated cell that also sees its state from some steps ago, weighted by another gate.

        u = tanh(Wu x + Uu h + bu)
        z = tanh(Wz x + Uz p + bz)
        g = sigmoid(Wg x + Ug h + bg)
        a = sigmoid(Wa x + Ua h + ba)
        h = (1 - g) * h + g * (u + a * z)

    p is the state `delay` steps before h. States are [h, past], where past contains the `delay`
    states before h side by side, the newest first, with zeros for steps before the sequence begins.
    Columns: candidate, delayed, update, attention.

    For long dependencies of a known length: the paper uses delays of 5 to 200 steps, chosen for
    each task.

    Reference: Erichson, Lim and Mahoney, "Gated Recurrent Neural Networks with Weighted Time-Delay
    Feedback", arXiv 2212.00228, 2022.

    Args:
        units: size of h.
        delay: number of steps between p and h, at least 1.
        **kwargs: see `RecurrentCell`.

    Raises:
        ValueError: `delay` is not a positive integer.
    """

    gates = ("candidate", "delayed", "update", "attention")
    record_states = (1,)

    def __init__(self, units: int, *, delay: int = 10, **kwargs: Any):
        super().__init__(units, **kwargs)
        self.delay = whole_number("delay", delay)

    @property
    def state_size(self):
        return [self.units, self.delay * self.units]

    def advance(self, x, states, recurrent_mask=None):
        h, past = states
        size = (self.delay - 1) * self.units  # of all but the oldest state
        newer, p = past[:, :size], past[:, size:]
        m = masked(h, recurrent_mask)
        x = self.split(x)
        Uu, Uz, Ug, Ua = ops.split(self.recurrent_matrix(), 4, axis=1)
        r = ops.matmul(m, ops.concatenate([Uu, Ug, Ua], axis=1))
        r_candidate, r_update, r_attention = ops.split(r, 3, axis=-1)
        u = self.activation(x.candidate + r_candidate)
        z = self.activation(x.delayed + ops.matmul(masked(p, recurrent_mask), Uz))
        g = self.recurrent_activation(x.update + r_update)
        a = self.recurrent_activation(x.attention + r_attention)
        new = (1 - g) * h + g * (u + a * z)
        return new, [new, ops.concatenate([h, newer], axis=-1)]

    def get_config(self) -> dict:
        return {**super().get_config(), "delay": self.delay}
