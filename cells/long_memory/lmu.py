"""The Legendre memory unit."""

from typing import Any

import keras
import numpy as np
from keras import ops

from seqzoo.cells.base import RecurrentCell
from seqzoo.cells.gates import clone_initializer
from seqzoo.cells.options import whole_number


@keras.saving.register_keras_serializable(package="seqzoo")
class LMUCell(RecurrentCell):
    """A linear memory that represents a sliding window of a signal u in Legendre polynomials.

        u = ex x + eh h + em m
        m = A m + B u
        h = tanh(W x + U h + V m)

    A and B are fixed: m holds the best approximation of the last `theta` steps of u by a polynomial
    of degree `order` - 1. States are [h, m]; ex, eh and em encode each step as one number. There
    are no biases, as in the paper.

    Reference: Voelker, Kajic and Eliasmith, "Legendre Memory Units: Continuous-Time Representation
    in Recurrent Neural Networks", NeurIPS 2019, equations 1 to 7, zero-order hold.

    Args:
        units: size of h.
        order: size of the memory m, at least 1.
        theta: length of the window in steps, above 0; set it to the longest lag that matters.
        **kwargs: see `RecurrentCell`; by default, `kernel_initializer` and `recurrent_initializer`
            are "glorot_normal" and `use_bias` is false.

    Raises:
        ValueError: `order` is below 1, or `theta` is not above 0.
    """

    gates = ("candidate",)

    def __init__(
        self,
        units: int,
        *,
        order: int = 16,
        theta: float = 100.0,
        kernel_initializer: Any = "glorot_normal",
        recurrent_initializer: Any = "glorot_normal",
        use_bias: bool = False,
        **kwargs: Any,
    ):
        order = whole_number("order", order)
        if theta <= 0:
            raise ValueError(f"`theta` must be above 0, got {theta!r}.")
        super().__init__(
            units,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            use_bias=use_bias,
            **kwargs,
        )
        self.order = order
        self.theta = theta
        self.memory_matrix, self.memory_input = legendre_memory(order, theta)

    @property
    def state_size(self):
        return [self.units, self.order]

    def kernel_shape(self, features):
        return (features, self.units + 1)  # W next to ex

    def build(self, input_shape):
        super().build(input_shape)
        self.memory_kernel = self.add_weight(
            shape=(self.order, self.units),
            name="memory_kernel",
            initializer=clone_initializer(self.kernel_initializer),
        )
        options = {"regularizer": self.kernel_regularizer, "constraint": self.kernel_constraint}
        self.hidden_encoder = self.add_weight(
            shape=(self.units, 1), name="hidden_encoder", initializer="lecun_uniform", **options
        )
        self.memory_encoder = self.add_weight(
            shape=(self.order, 1), name="memory_encoder", initializer="zeros", **options
        )

    def project(self, inputs):
        return ops.matmul(inputs, self.input_matrix())

    def advance(self, x, states, recurrent_mask=None):
        h, m = states
        candidate, u = ops.split(x, [self.units], axis=-1)
        dropped = h if recurrent_mask is None else h * recurrent_mask
        u = u + ops.matmul(dropped, self.hidden_encoder) + ops.matmul(m, self.memory_encoder)
        memory_matrix = ops.cast(self.memory_matrix.T, m.dtype)
        m = ops.matmul(m, memory_matrix) + u * ops.cast(self.memory_input, m.dtype)
        candidate = candidate + self.recur(dropped) + ops.matmul(m, self.memory_kernel)
        bias = self.input_bias()
        h = self.activation(candidate if bias is None else candidate + bias)
        return h, [h, m]

    def get_config(self) -> dict:
        return {**super().get_config(), "order": self.order, "theta": self.theta}


def legendre_memory(order: int, theta: float) -> tuple[np.ndarray, np.ndarray]:
    """A (order, order) and B (order,) for a window of `theta` steps, by zero-order hold."""
    q = np.arange(order)
    scale = (2 * q + 1.0) / theta
    i, j = np.meshgrid(q, q, indexing="ij")
    a = np.where(i < j, -1.0, (-1.0) ** (i - j + 1)) * scale[:, None]
    b = (-1.0) ** q * scale
    # exp of [[a, b], [0, 0]] contains both discretised matrices.
    augmented = np.zeros((order + 1, order + 1))
    augmented[:order, :order], augmented[:order, order] = a, b
    squarings = max(0, int(np.ceil(np.log2(max(np.linalg.norm(augmented, 1), 1e-9)))) + 4)
    scaled = augmented / 2**squarings
    total = power = np.eye(order + 1)
    for k in range(1, 20):
        power = power @ scaled / k
        total = total + power
    for _ in range(squarings):
        total = total @ total
    return total[:order, :order], total[:order, order]
