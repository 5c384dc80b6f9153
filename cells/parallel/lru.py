"""The linear recurrent unit: complex, diagonal and linear."""

import math

import keras
import numpy as np
from keras import ops

from seqzoo.cells.diagonal import DiagonalCell, fixed_initializer


@keras.saving.register_keras_serializable(package="seqzoo")
class LRUCell(DiagonalCell):
    """A complex diagonal recurrence and a linear readout.

        l = exp(-exp(n) + i exp(t))
        s = l * s + exp(g) * (B x)
        y = Re(C s) + D x

    s, l, B and C are complex; exp(n) keeps |l| below one, exp(t) is the angle of l, and exp(g)
    starts at sqrt(1 - |l|^2). Initially l is uniform on a ring with radii from `minimum` to
    `maximum`, at angles up to `maximum_angle`. States are [y, Re s, Im s]. Columns of the kernel:
    Re B, Im B, D; rows of `readout_kernel`: Re C, then -Im C. Linear throughout: alternate it with
    nonlinear layers.

    Reference: Orvieto et al., "Resurrecting Recurrent Neural Networks for Long Sequences", ICML
    2023, section 3 and algorithm 1.

    Args:
        units: size of y and of s.
        minimum: smallest initial |l|, at least 0.
        maximum: largest initial |l|, below 1.
        maximum_angle: largest initial angle, above 0.
        **kwargs: see `RecurrentCell`; the bias is added to D x.

    Raises:
        ValueError: the radii do not satisfy 0 <= minimum < maximum < 1, or `maximum_angle` is not
            above 0.
    """

    gates = ("real", "imaginary", "skip")
    recurrent_gates = ()

    def __init__(
        self,
        units: int,
        *,
        minimum: float = 0.0,
        maximum: float = 0.99,
        maximum_angle: float = 2 * math.pi,
        **kwargs,
    ):
        if not 0 <= minimum < maximum < 1:
            raise ValueError(
                "`minimum` and `maximum` must satisfy 0 <= minimum < maximum < 1, got "
                f"{minimum!r} and {maximum!r}."
            )
        if maximum_angle <= 0:
            raise ValueError(f"`maximum_angle` must be above 0, got {maximum_angle!r}.")
        super().__init__(units, **kwargs)
        self.minimum = minimum
        self.maximum = maximum
        self.maximum_angle = maximum_angle

    def bias_shape(self):
        return (self.units,)

    def build(self, input_shape):
        super().build(input_shape)
        shape = (self.units,)
        rng = self.random_numbers()
        square = rng.uniform(self.minimum**2, self.maximum**2, shape)
        start = {
            "decay": np.log(-0.5 * np.log(np.maximum(square, 1e-12))),
            "angle": np.log(rng.uniform(1e-4, self.maximum_angle, shape)),
            "scale": 0.5 * np.log(1 - square),
        }
        for name, value in start.items():
            weight = self.add_weight(shape=shape, name=name, initializer=fixed_initializer(value))
            setattr(self, name, weight)
        self.readout_kernel = self.add_weight(
            shape=(2 * self.units, self.units), name="readout_kernel", initializer="glorot_normal"
        )

    def coefficients(self):
        radius = ops.exp(-ops.exp(ops.convert_to_tensor(self.decay)))
        angle = ops.exp(ops.convert_to_tensor(self.angle))
        return radius * ops.cos(angle), radius * ops.sin(angle)

    def drive(self, inputs):
        scale = ops.exp(ops.convert_to_tensor(self.scale))
        kernel = self.input_matrix()[:, : 2 * self.units]
        return ops.matmul(inputs, kernel) * ops.concatenate([scale, scale])

    def skip(self, inputs):
        y = ops.matmul(inputs, self.input_matrix()[:, 2 * self.units :])
        return y if self.bias is None else y + ops.convert_to_tensor(self.bias)

    def get_config(self) -> dict:
        options = {
            "minimum": self.minimum,
            "maximum": self.maximum,
            "maximum_angle": self.maximum_angle,
        }
        return {**super().get_config(), **options}
