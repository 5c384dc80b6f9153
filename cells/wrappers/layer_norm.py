"""Layer normalisation of a cell's products."""

from typing import Any

import keras
from keras import ops

from seqzoo.cells.base import RecurrentCell
from seqzoo.cells.wrappers.wrapper import SameFormWrapper


@keras.saving.register_keras_serializable(package="seqzoo")
class LayerNormCell(SameFormWrapper):
    """Layer normalisation of both products of a step, each over the units of all its gates.

        n(a) = (a - mean(a)) / sqrt(variance(a) + epsilon)
        x = gx * n(W x) + b
        r = gr * n(U h)
        s = step(x, r, s)                               the inner cell's

    gx and gr have a weight for each unit of each gate and start at one. The paper's LSTM, like that
    of TensorFlow Addons, also normalises the memory inside its last equation, which a wrapper
    cannot do. The inner cell's step must have one recurrent product and one product of the input.

    For long sequences and for training at high learning rates, where it stabilises the states.

    Reference: Ba, Kiros and Hinton, "Layer Normalization", arXiv 1607.06450, 2016, equations 4 and
    20 to 22.

    Args:
        units: size of the output and of the inner cell.
        epsilon: constant that is added to the variance, above 0.
        **kwargs: see `WrapperCell`.

    Raises:
        ValueError: `epsilon` is not above 0, or the cell cannot be wrapped.
    """

    def __init__(self, units: int, *, epsilon: float = 1e-5, **kwargs: Any):
        if epsilon <= 0:
            raise ValueError(f"`epsilon` must be above 0, got {epsilon!r}.")
        super().__init__(units, **kwargs)
        self.epsilon = epsilon

    def check(self, inner):
        super().check(inner)
        if not inner.recurrent_gates or type(inner).project is not RecurrentCell.project:
            self.refuse(inner, "a cell with one product of the input and one of the state")

    def build(self, input_shape):
        super().build(input_shape)
        for name, gates in (("input", self.gates), ("recurrent", self.recurrent_gates)):
            shape = (len(gates) * self.units,)
            weight = self.add_weight(shape=shape, name=f"{name}_gain", initializer="ones")
            setattr(self, f"{name}_gain", weight)

    def project(self, inputs):
        x = self._normalised(ops.matmul(inputs, self.input_matrix()), self.input_gain)
        bias = self.input_bias()
        return x if bias is None else x + bias

    def recur(self, h):
        r = self._normalised(ops.matmul(h, self.recurrent_matrix()), self.recurrent_gain)
        bias = self.recurrent_bias()
        return r if bias is None else r + bias

    def _normalised(self, a: Any, gain: Any) -> Any:
        # The squares would overflow in float16, and `epsilon` may be zero there.
        values = ops.cast(a, "float64" if a.dtype == "float64" else "float32")
        centred = values - ops.mean(values, axis=-1, keepdims=True)
        variance = ops.mean(centred * centred, axis=-1, keepdims=True)
        normalised = ops.cast(centred * ops.rsqrt(variance + self.epsilon), a.dtype)
        return ops.convert_to_tensor(gain) * normalised

    def get_config(self) -> dict:
        return {**super().get_config(), "epsilon": self.epsilon}
