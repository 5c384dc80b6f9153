"""A recurrence whose matrix is orthogonal by construction."""

from typing import Any

import keras
import numpy as np
from keras import ops

from seqzoo.cells.base import RecurrentCell
from seqzoo.cells.private_keras import backend


@keras.saving.register_keras_serializable(package="seqzoo")
class OrthogonalCell(RecurrentCell):
    """The recurrent matrix is the exponential, or the Cayley transform, of a skew-symmetric one.

        A = U - U^T
        Q = exp(A)                        parametrization="exponential"
        Q = (I + A)^-1 (I - A)            parametrization="cayley"
        h = f(W x + Q h),    f(z) = sign(z) * relu(|z| + b)

    f is the modReLU, which keeps signs; another `activation` may replace it. The product with Q
    preserves the norm of a state; in half precision, where Q is rounded, only to about 0.2% in each
    step. Q is computed once per sequence. U starts with blocks [0, s; 0, 0] on its diagonal, so
    that Q rotates pairs of units by angles drawn as in the papers:
    s = sqrt((1 - cos u) / (1 + cos u)) with u uniform from 0 to pi / 2.

    Reference: Lezcano-Casado and Martinez-Rubio, "Cheap Orthogonal Constraints in Neural Networks",
    ICML 2019 (exponential, section 4); Helfrich, Willmott and Ye, "Orthogonal Recurrent Neural
    Networks with Scaled Cayley Transform", ICML 2018 (Cayley, with no scaling matrix here).

    Args:
        units: size of the state.
        parametrization: "exponential" or "cayley".
        activation: "modrelu" or any Keras activation, applied to z + b.
        use_bias: must be True: f needs b.
        **kwargs: see `RecurrentCell`; `bias_initializer` is that of b.

    Raises:
        ValueError: `parametrization` is not one of the two, or `use_bias` is False.
    """

    gates = ("candidate",)
    unit_weights = ("modulation",)
    bias_names = ("modulation",)

    def __init__(
        self,
        units: int,
        *,
        parametrization: str = "exponential",
        activation: Any = "modrelu",
        recurrent_initializer: Any = None,
        use_bias: bool = True,
        **kwargs: Any,
    ):
        if not use_bias:
            raise ValueError("`use_bias` must be True: OrthogonalCell's nonlinearity needs a bias.")
        if parametrization not in ("exponential", "cayley"):
            raise ValueError(
                f"`parametrization` must be 'exponential' or 'cayley', got {parametrization!r}."
            )
        self.modrelu = activation == "modrelu"
        super().__init__(
            units,
            activation="linear" if self.modrelu else activation,
            recurrent_initializer=recurrent_initializer or "zeros",
            use_bias=False,  # b is the modulation
            **kwargs,
        )
        self.rotations = recurrent_initializer is None
        self.parametrization = parametrization

    def initial_recurrent_kernel(self, shape, dtype=None):
        if not self.rotations:
            return super().initial_recurrent_kernel(shape, dtype)
        u = self.random_numbers().uniform(0, np.pi / 2, self.units // 2)
        kernel = np.zeros(shape)
        pairs = 2 * np.arange(self.units // 2)
        kernel[pairs, pairs + 1] = np.sqrt((1 - np.cos(u)) / (1 + np.cos(u)))
        return ops.cast(kernel, dtype)

    def initial_unit_weight(self, name, shape, dtype=None):
        return self.bias_initializer(shape, dtype=dtype)

    def recurrent_matrix(self):
        # In half precision the errors of the squarings add up, and there is no `solve`.
        with backend.AutocastScope(None):
            kernel = super().recurrent_matrix()
        precise = "float64" if self.compute_dtype == "float64" else "float32"
        kernel = ops.cast(kernel, precise)
        skew = kernel - ops.transpose(kernel)
        eye = ops.eye(self.units, dtype=precise)
        if self.parametrization == "cayley":
            matrix = ops.solve(eye + skew, eye - skew)
        else:
            matrix = matrix_exponential(skew)
        return ops.cast(ops.transpose(matrix), self.compute_dtype)

    def step(self, x, r, states, w):
        z = x.candidate + r.candidate
        if self.modrelu:
            h = ops.sign(z) * ops.relu(ops.abs(z) + w.modulation)
        else:
            h = self.activation(z + w.modulation)
        return h, [h]

    def get_config(self) -> dict:
        config = super().get_config()
        config["use_bias"] = True
        if self.modrelu:
            config["activation"] = "modrelu"
        if self.rotations:
            config["recurrent_initializer"] = None
        return {**config, "parametrization": self.parametrization}


def matrix_exponential(matrix: Any, squarings: int = 6, terms: int = 12) -> Any:
    """exp of a square matrix, by scaling and squaring; for norms of up to about 60."""
    eye = ops.eye(matrix.shape[0], dtype=matrix.dtype)
    scaled = matrix / 2**squarings
    total = power = eye
    for k in range(1, terms + 1):
        power = ops.matmul(power, scaled) / k
        total = total + power
    for _ in range(squarings):
        total = ops.matmul(total, total)
    return total
