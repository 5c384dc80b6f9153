"""The minimal GRU of 2024, whose gate depends only on the input."""

from typing import Any

import keras
from keras import ops

from seqzoo.cells.base import RecurrentCell


@keras.saving.register_keras_serializable(package="seqzoo")
class MinGRUCell(RecurrentCell):
    """The GRU without its recurrent products.

        z = sigmoid(Wz x + bz)
        h = (1 - z) * h + z * g(W x + b)

    g is `activation`: linear as in section 3.1, or "minimal_positive", g(a) = a + 1/2 for a >= 0
    and sigmoid(a) otherwise, which keeps the states positive in the paper's log-space form. The
    recurrence is linear in h; a step has no matrix product. Columns: update, candidate. Stack two
    or more layers.

    Reference: Feng, Tung, Ahmed, Bengio and Hajimirsadeghi, "Were RNNs All We Needed?", arXiv
    2410.01201 (2024), section 3.1 and appendix B.

    Args:
        units: size of the state.
        **kwargs: see `RecurrentCell`; `activation` is "linear" by default.
    """

    gates = ("update", "candidate")
    recurrent_gates = ()
    unused_options = ("recurrent_initializer",)

    def __init__(self, units: int, *, activation: Any = "linear", **kwargs: Any):
        self.positive = activation == "minimal_positive"
        super().__init__(units, activation="linear" if self.positive else activation, **kwargs)

    def candidate(self, x: Any) -> Any:
        """g of the projected input."""
        if self.positive:
            return ops.where(x >= 0, x + 0.5, ops.sigmoid(x))
        return self.activation(x)

    def step(self, x, r, states):
        (h,) = states
        z = ops.sigmoid(x.update)
        h = h + z * (self.candidate(x.candidate) - h)
        return h, [h]

    @property
    def has_step_gradient(self):
        return not self.positive and self.activation is keras.activations.linear

    def step_with_values(self, x, r, states):
        (h,) = states
        z = ops.sigmoid(x.update)
        new = h + z * (x.candidate - h)
        return new, [new], (z, x.candidate, h)

    def step_gradient(self, values, d_states):
        (z, n, h), (dh,) = values, d_states
        dn = dh * z
        return [dn * (n - h) * (1 - z), dn], None, [dh - dn]

    def get_config(self) -> dict:
        config = super().get_config()
        return {**config, "activation": "minimal_positive"} if self.positive else config
