"""The gated recurrent unit, in both published forms."""

from typing import Any

import keras
from keras import ops

from seqzoo.cells.activation_gradients import derivative, have_derivatives
from seqzoo.cells.base import RecurrentCell
from seqzoo.cells.options import from_keras


@keras.saving.register_keras_serializable(package="seqzoo")
class GRUCell(RecurrentCell):
    """An update gate z keeps the old state, and a reset gate r hides it from the candidate.

        z = sigmoid(Wz x + Uz h + bz)
        r = sigmoid(Wr x + Ur h + br)
        n = tanh(Wn x + bn + r * (Un h + cn))      reset_after=True
        n = tanh(Wn x + bn + Un (r * h))           reset_after=False
        h = z * h + (1 - z) * n

    With `reset_after=True`, as in cuDNN, the recurrent products have separate biases.
    Weights have the shapes and the column order (update, reset, candidate) of `keras.layers.GRU`,
    and can be copied in both directions.

    Reference: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", EMNLP
    2014; in version 1 of the paper the reset gate acts after the product, in version 3 before it.

    Args:
        units: size of the state.
        recurrent_activation: nonlinearity of the two gates.
        reset_after: whether the reset gate acts after the recurrent product.
        **kwargs: see `RecurrentCell`.
    """

    cudnn = "gru"
    gates = ("update", "reset", "candidate")
    separate = ("candidate",)

    def __init__(
        self,
        units: int,
        *,
        recurrent_activation: Any = "sigmoid",
        reset_after: bool = True,
        **kwargs: Any,
    ):
        super().__init__(units, **kwargs)
        self.recurrent_activation = from_keras("recurrent_activation", recurrent_activation)
        self.reset_after = reset_after

    def bias_shape(self):
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def input_bias(self):
        bias = super().input_bias()
        return bias[0] if bias is not None and self.reset_after else bias

    def recurrent_bias(self):
        bias = super().input_bias()
        return bias[1] if bias is not None and self.reset_after else None

    def step(self, x, r, states):
        h, new, _ = self.step_with_values(x, r, states)
        return h, new

    @property
    def recurs_by_product(self):
        cell_class = type(self)
        own = cell_class.advance is GRUCell.advance and cell_class.recur is GRUCell.recur
        return self.reset_after and own

    @property
    def has_step_gradient(self):
        return have_derivatives(self.activation, self.recurrent_activation)

    def step_with_values(self, x, r, states):
        (h,) = states
        update = self.recurrent_activation(x.update + r.update)
        reset = self.recurrent_activation(x.reset + r.reset)
        candidate = self.activation(x.candidate + reset * r.candidate)
        new = update * h + (1 - update) * candidate
        return new, [new], (update, reset, candidate, r.candidate, h)

    def step_gradient(self, values, d_states):
        (update, reset, candidate, r_candidate, h), (dh,) = values, d_states
        d_update = dh * (h - candidate) * derivative(self.recurrent_activation, update)
        d_candidate = dh * (1 - update) * derivative(self.activation, candidate)
        d_reset = d_candidate * r_candidate * derivative(self.recurrent_activation, reset)
        dx = [d_update, d_reset, d_candidate]
        dr = [d_update, d_reset, d_candidate * reset]
        return dx, dr, [dh * update]

    def advance(self, x, states, recurrent_mask=None):
        if self.reset_after:
            return super().advance(x, states, recurrent_mask)
        (h,) = states
        masked = h if recurrent_mask is None else h * recurrent_mask
        x = self.split(x)
        gate_kernel, candidate_kernel = ops.split(self.recurrent_kernel, [2 * self.units], axis=1)
        r_update, r_reset = ops.split(ops.matmul(masked, gate_kernel), 2, axis=-1)
        update = self.recurrent_activation(x.update + r_update)
        reset = self.recurrent_activation(x.reset + r_reset)
        candidate = self.activation(x.candidate + ops.matmul(reset * masked, candidate_kernel))
        h = update * h + (1 - update) * candidate
        return h, [h]

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "recurrent_activation": keras.activations.serialize(self.recurrent_activation),
            "reset_after": self.reset_after,
        }
