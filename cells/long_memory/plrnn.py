"""The piecewise-linear recurrence, for reconstructing dynamical systems."""

from typing import Any

import keras
from keras import ops

from seqzoo.cells.base import RecurrentCell
from seqzoo.cells.gates import filled_with


@keras.saving.register_keras_serializable(package="seqzoo")
class PLRNNCell(RecurrentCell):
    """h = a * h + U relu(h) + W x + b

    a is one weight per unit, `own_weight`, for the unit's old state; U couples the units, with a
    zero diagonal. Within each orthant the map is linear, so fixed points and cycles can be found
    exactly. The paper subtracts a threshold inside the relu and has no bias; shifting the state by
    the threshold turns it into b.

    Reference: Durstewitz, "A State Space Approach for Piecewise-Linear Recurrent Neural Networks
    for Identifying Computational Dynamics from Neural Measurements", PLOS Computational Biology 13
    (2017), equation 1.

    Args:
        units: size of the state.
        **kwargs: see `RecurrentCell`; by default, `activation` is "relu" and
            `recurrent_initializer` is normal with standard deviation 0.01. a starts at 0.9.
    """

    gates = ("candidate",)

    def __init__(
        self,
        units: int,
        *,
        activation: Any = "relu",
        recurrent_initializer: Any = None,
        **kwargs: Any,
    ):
        if recurrent_initializer is None:
            recurrent_initializer = keras.initializers.RandomNormal(stddev=0.01)
        super().__init__(
            units, activation=activation, recurrent_initializer=recurrent_initializer, **kwargs
        )

    def build(self, input_shape):
        super().build(input_shape)
        self.own_weight = self.add_weight(
            shape=(self.units,), name="own_weight", initializer=filled_with(0.9)
        )

    def recurrent_matrix(self):
        kernel = super().recurrent_matrix()
        return kernel * (1 - ops.eye(self.units, dtype=kernel.dtype))

    def advance(self, x, states, recurrent_mask=None):
        (h,) = states
        m = h if recurrent_mask is None else h * recurrent_mask
        h = h * ops.convert_to_tensor(self.own_weight) + self.recur(self.activation(m)) + x
        return h, [h]
