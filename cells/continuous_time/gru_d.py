"""GRU-D: a GRU for series with missing values."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from seqzoo.cells.gates import CellWithGates, clone_initializer, filled_with, masked


@keras.saving.register_keras_serializable(package="seqzoo")
class GRUDCell(CellWithGates):
    """A GRU that fills gaps with the last value, decayed towards the mean, and decays its state.

        d = t + d
        v = m * x + (1 - m) * (gx * x' + (1 - gx) * mean)      gx = exp(-max(0, wx * d + bx))
        h = gh * h                                             gh = exp(-max(0, Wh d + bh))
        z = sigmoid(Wz v + Uz h + Vz m + bz)
        r = sigmoid(Wr v + Ur h + Vr m + br)
        n = tanh(W v + U (r * h) + V m + b)
        h = (1 - z) * h + z * n
        x' = m * x + (1 - m) * x'
        d = (1 - m) * d

    The inputs' features are n values x and then n mask values m, 1 where a value was observed and 0
    where it is missing; a missing value may be any finite number. t is the time since the previous
    step, d the time since each feature was last observed, x' its last observed value. States are
    [h, x', d]; x' starts at the mean. Columns: update, reset, candidate. The kernel of the mask, V,
    is the weight `mark_kernel`; Wh is `decay_kernel`, wx is `input_decay`. wx starts at 0.1, so
    that the weight of a value falls to about a third after ten units of time.

    For clinical and sensor series in which the gaps are informative. The paper standardises the
    inputs, so that the mean is 0, and uses 49 to 67 units.

    Reference: Che, Purushotham, Cho, Sontag and Liu, "Recurrent Neural Networks for Multivariate
    Time Series with Missing Values", Scientific Reports 8, 2018, equations 10 to 17.

    Args:
        units: size of h.
        mean: the features' means over the training data: one number for all, or a list.
        **kwargs: see `CellWithGates`.

    Raises:
        ValueError: there are not as many mask values as values, or `mean` is not a finite number
            or a list of finite numbers, one per value.
    """

    gates = ("update", "reset", "candidate")
    takes_time = True
    takes_mask = True
    record_states = (1, 2)

    def __init__(self, units: int, *, mean: float | Sequence[float] = 0.0, **kwargs: Any):
        numbers: Sequence[Any] = mean if isinstance(mean, list | tuple) else [mean]
        if not numbers or not all(
            type(number) in (int, float) and math.isfinite(number) for number in numbers
        ):
            raise ValueError(
                f"`mean` must be a finite number or a list of finite numbers, got {mean!r}."
            )
        super().__init__(units, **kwargs)
        results = [float(number) for number in numbers]
        self.mean = results if isinstance(mean, list | tuple) else results[0]
        self.values: Any = None

    @property
    def state_size(self):
        return [self.units, self.values, self.values]

    def get_initial_state(self, batch_size=None):
        h, last, unobserved = super().get_initial_state(batch_size)
        return [h, last + ops.convert_to_tensor(self.mean, self.compute_dtype), unobserved]

    def kernel_shape(self, features):
        if features % 2:
            raise ValueError(
                f"GRUDCell takes n values followed by n mask values, got {features} features."
            )
        self.values = features // 2
        if isinstance(self.mean, list) and len(self.mean) != self.values:
            raise ValueError(
                f"`mean` must have length {self.values}, one number per value, got "
                f"{len(self.mean)}."
            )
        return super().kernel_shape(self.values)

    def build(self, input_shape):
        super().build(input_shape)
        parts = {
            "mark_kernel": (self.kernel.shape, clone_initializer(self.kernel_initializer)),
            "decay_kernel": ((self.values, self.units), clone_initializer(self.kernel_initializer)),
            "decay_bias": ((self.units,), "zeros"),
            "input_decay": ((self.values,), filled_with(0.1)),
            "input_decay_bias": ((self.values,), "zeros"),
        }
        for name, (shape, initializer) in parts.items():
            if self.use_bias or not name.endswith("bias"):
                weight = self.add_weight(shape=shape, name=name, initializer=initializer)
                setattr(self, name, weight)

    def input_mask(self, inputs, training):
        """Values are dropped, but not which of them were observed."""
        mask = super().input_mask(inputs, training)
        if mask is None:
            return None
        kept = ops.ones_like(mask[..., self.values :])
        return ops.concatenate([mask[..., : self.values], kept], axis=-1)

    def project(self, inputs):
        """The inputs themselves and V m + b, concatenated."""
        mask = inputs[..., self.values : -1]
        v = ops.matmul(mask, ops.convert_to_tensor(self.mark_kernel))
        bias = self.input_bias()
        return ops.concatenate([inputs, v if bias is None else v + bias], axis=-1)

    def advance(self, x, states, recurrent_mask=None):
        h, last, unobserved = states
        n = self.values
        value, mask, t, v = ops.split(x, [n, 2 * n, 2 * n + 1], axis=-1)
        d = t + unobserved
        decay = self._decay(d * self.input_decay, "input_decay_bias")
        mean = ops.convert_to_tensor(self.mean, x.dtype)
        value, missing = mask * value, 1 - mask
        filled = value + missing * (decay * last + (1 - decay) * mean)
        h = self._decay(ops.matmul(d, ops.convert_to_tensor(self.decay_kernel)), "decay_bias") * h
        x = self.split(v + ops.matmul(filled, self.input_matrix()))
        u, k = ops.split(self.recurrent_matrix(), [2 * self.units], axis=1)
        m = masked(h, recurrent_mask)
        z, r = ops.split(ops.matmul(m, u), 2, axis=-1)
        z = self.recurrent_activation(x.update + z)
        r = self.recurrent_activation(x.reset + r)
        n = self.activation(x.candidate + ops.matmul(r * m, k))
        h = (1 - z) * h + z * n
        return h, [h, value + missing * last, missing * d]

    def _decay(self, rate: Any, bias: str) -> Any:
        """exp(-max(0, rate + bias))."""
        return ops.exp(-ops.relu(rate + getattr(self, bias) if self.use_bias else rate))

    def get_config(self) -> dict:
        return {**super().get_config(), "mean": self.mean}
