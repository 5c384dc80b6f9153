"""The structurally constrained recurrent network."""

from typing import Any

import keras
from keras import ops

from seqzoo.cells.base import RecurrentCell
from seqzoo.cells.gates import clone_initializer
from seqzoo.cells.options import whole_number


@keras.saving.register_keras_serializable(package="seqzoo")
class SCRNCell(RecurrentCell):
    """Slow context units, which average the input, and fast hidden units.

        s = (1 - alpha) * B x + alpha * s
        h = sigmoid(A x + R h + P s + b)
        y = U h + V s

    States are [y, h, s]. The output y is linear; the paper applies a softmax to it and fixes alpha
    at 0.95. Columns: hidden, context.

    Reference: Mikolov, Joulin, Chopra, Mathieu and Ranzato, "Learning Longer Memory in Recurrent
    Neural Networks", ICLR 2015 workshop, equations 4 to 6.

    Args:
        units: size of y and of h.
        context_units: size of s; the same as `units` by default.
        alpha: fraction of the context that is kept, from 0 to 1.
        **kwargs: see `RecurrentCell`; `activation` is "sigmoid" by default.

    Raises:
        ValueError: `alpha` is below 0 or above 1, or `context_units` is below 1.
    """

    gates = ("hidden", "context")

    def __init__(
        self,
        units: int,
        *,
        context_units: int | None = None,
        alpha: float = 0.95,
        activation: Any = "sigmoid",
        **kwargs: Any,
    ):
        if not 0 <= alpha <= 1:
            raise ValueError(f"`alpha` must be from 0 to 1, got {alpha!r}.")
        context_units = whole_number("context_units", context_units, optional=True)
        super().__init__(units, activation=activation, **kwargs)
        self.context_units = context_units
        self.alpha = alpha

    @property
    def context_size(self) -> int:
        """Size of s."""
        return self.context_units or self.units

    @property
    def state_size(self):
        return [self.units, self.units, self.context_size]

    def kernel_shape(self, features):
        return (features, self.units + self.context_size)

    def recurrent_kernel_shape(self):
        return (self.units, self.units)

    def bias_shape(self):
        return (self.units,)

    def build(self, input_shape):
        super().build(input_shape)
        self.context_kernel = self.add_weight(
            shape=(self.context_size, 2 * self.units),
            name="context_kernel",
            initializer=clone_initializer(self.kernel_initializer),
        )
        self.output_kernel = self.add_weight(
            shape=(self.units, self.units),
            name="output_kernel",
            initializer=clone_initializer(self.kernel_initializer),
        )

    def project(self, inputs):
        return ops.matmul(inputs, self.input_matrix())

    def advance(self, x, states, recurrent_mask=None):
        _, h, s = states
        hidden, context = ops.split(x, [self.units], axis=-1)
        s = (1 - self.alpha) * context + self.alpha * s
        to_hidden, to_output = ops.split(ops.matmul(s, self.context_kernel), 2, axis=-1)
        m = h if recurrent_mask is None else h * recurrent_mask
        hidden = hidden + self.recur(m) + to_hidden
        bias = self.input_bias()
        h = self.activation(hidden if bias is None else hidden + bias)
        y = ops.matmul(h, self.output_kernel) + to_output
        return y, [y, h, s]

    def get_config(self) -> dict:
        options = {"context_units": self.context_units, "alpha": self.alpha}
        return {**super().get_config(), **options}
