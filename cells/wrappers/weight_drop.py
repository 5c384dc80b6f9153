"""Weight drop: dropout of the recurrent matrix."""

from typing import Any

import keras
from keras import ops

from seqzoo.cells.wrappers.wrapper import SameFormWrapper


@keras.saving.register_keras_serializable(package="seqzoo")
class WeightDropCell(SameFormWrapper):
    """In training, drops entries of the recurrent matrix, the same ones for the entire batch.

        U' = U * m / (1 - rate)
        s = cell(x, s), with U' for U

    m is 0 with probability `rate` and 1 otherwise, drawn once per batch, so that the wrapper runs
    on the inner cell's fast loop. The inner cell's step must have one recurrent product.

    The regulariser of the AWD-LSTM, for word-level language models: the paper uses a rate of 0.5.

    Reference: Merity, Keskar and Socher, "Regularizing and Optimizing LSTM Language Models", ICLR
    2018, section 2.

    Args:
        units: size of the output and of the inner cell.
        rate: probability of dropping an entry of the matrix, at least 0 and below 1.
        **kwargs: see `WrapperCell`.

    Raises:
        ValueError: `rate` is out of range, or the cell cannot be wrapped.
    """

    draws_matrix = True

    def __init__(self, units: int, *, rate: float = 0.5, **kwargs: Any):
        if not 0 <= rate < 1:
            raise ValueError(f"`rate` must be at least 0 and below 1, got {rate!r}.")
        super().__init__(units, **kwargs)
        self.rate = rate
        self._drawn_mask = None

    def check(self, inner):
        super().check(inner)
        if not inner.recurrent_gates:
            self.refuse(inner, "a cell with a recurrent product")

    def recurrent_mask(self, h, training):
        mask = super().recurrent_mask(h, training)  # drawn first, as by Keras
        if not (training and self.rate):
            self._drawn_mask = None
        elif self._drawn_mask is None:
            shape = self.cell.recurrent_kernel_shape()
            drawn = keras.random.uniform(shape, seed=self.seed_generator) >= self.rate
            self._drawn_mask = ops.cast(drawn, self.compute_dtype) / (1 - self.rate)
        return mask

    def reset_recurrent_dropout_mask(self):
        """Called by Keras after each sequence."""
        super().reset_recurrent_dropout_mask()
        self._drawn_mask = None

    def recurrent_matrix(self):
        matrix = self.cell.recurrent_matrix()
        if self._drawn_mask is None:
            return matrix
        return matrix * ops.cast(self._drawn_mask, matrix.dtype)

    @property
    def has_step_gradient(self):
        return self.cell.has_step_gradient

    def step_with_values(self, x, r, states, *weights):
        return self.cell.step_with_values(x, r, states, *weights)

    def step_gradient(self, values, d_states, *weights):
        return self.cell.step_gradient(values, d_states, *weights)

    def step(self, x, r, states, *weights):
        return self.cell.step(x, r, states, *weights)

    def get_config(self) -> dict:
        return {**super().get_config(), "rate": self.rate}
