"""The recurrent highway network."""

from typing import Any

import keras
from keras import ops

from seqzoo.cells.base import RecurrentCell
from seqzoo.cells.gates import clone_initializer
from seqzoo.cells.options import whole_number


@keras.saving.register_keras_serializable(package="seqzoo")
class RecurrentHighwayCell(RecurrentCell):
    """Several highway layers within one time step, with carry = 1 - transform.

        c = tanh(Rc1 h + bc1 + W x);    t = sigmoid(Rt1 h + bt1 + Wt x);    h = c * t + h * (1 - t)
        c = tanh(Rc2 h + bc2);          t = sigmoid(Rt2 h + bt2);           h = c * t + h * (1 - t)
        and so on, `depth` times; the input enters only the first layer.

    The transform gates' biases start at -2, so that a step changes little at first; the paper uses
    -2 to -4 and a depth of 5 to 10 for language models. Columns: candidate, transform.

    Reference: Zilly, Srivastava, Koutnik and Schmidhuber, "Recurrent Highway Networks", ICML 2017,
    equations 7 to 9.

    Args:
        units: size of the state.
        depth: number of layers per step, at least 1.
        transform_bias: initial bias of the transform gates.
        **kwargs: see `RecurrentCell`.

    Raises:
        ValueError: `depth` is below 1.
    """

    gates = ("candidate", "transform")

    def __init__(self, units: int, *, depth: int = 3, transform_bias: float = -2.0, **kwargs: Any):
        depth = whole_number("depth", depth)
        super().__init__(units, **kwargs)
        self.depth = depth
        self.transform_bias = transform_bias

    def recurrent_kernel_shape(self):
        return (self.units, 2 * self.units * self.depth)

    def bias_shape(self):
        return (2 * self.units * self.depth,)

    def initial_recurrent_kernel(self, shape, dtype=None):
        draw_dtype = "float32" if dtype == "bfloat16" else dtype
        square = (self.units, self.units)
        parts = [
            clone_initializer(self.recurrent_initializer)(square, dtype=draw_dtype)
            for _ in range(2 * self.depth)
        ]
        return ops.cast(ops.concatenate(parts, 1), dtype)

    def initial_bias(self, shape, dtype=None):
        bias = ops.reshape(super().initial_bias(shape, dtype), (self.depth, 2, self.units))
        start = ops.reshape(ops.convert_to_tensor([0.0, self.transform_bias], dtype), (1, 2, 1))
        return ops.reshape(bias + start, shape)

    def input_bias(self):
        return None  # the layers within a step add their own biases

    def advance(self, x, states, recurrent_mask=None):
        (h,) = states
        kernels = ops.split(self.recurrent_matrix(), self.depth, axis=1)
        biases = [None] * self.depth
        if self.bias is not None:
            biases = ops.split(ops.convert_to_tensor(self.bias), self.depth)
        for kernel, bias in zip(kernels, biases, strict=True):
            z = ops.matmul(h if recurrent_mask is None else h * recurrent_mask, kernel)
            if bias is not None:
                z = z + bias
            candidate, transform = ops.split(z if x is None else z + x, 2, axis=-1)
            t = ops.sigmoid(transform)
            h = self.activation(candidate) * t + h * (1 - t)
            x = None
        return h, [h]

    def get_config(self) -> dict:
        options = {"depth": self.depth, "transform_bias": self.transform_bias}
        return {**super().get_config(), **options}
