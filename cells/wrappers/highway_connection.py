"""A highway connection around a cell."""

from typing import Any

import keras
from keras import ops

from seqzoo.cells.gates import clone_initializer, filled_with
from seqzoo.cells.wrappers.wrapper import OutputWrapper


@keras.saving.register_keras_serializable(package="seqzoo")
class HighwayConnectionCell(OutputWrapper):
    """A gate mixes the cell's output with the input.

        h, s = cell(x, s)
        t = sigmoid(Wt x + bt)
        y = t * h + (1 - t) * x

    States are y, which is not fed back, and those of the cell. If the number of features differs
    from the number of units, x is projected for y, by `shortcut_kernel`. bt starts at
    `transform_bias`, so that an untrained layer passes most of its input through. Any cell with
    vector inputs can be wrapped, except time-aware ones (`cfc`, `gru-d`, `ltc`). `highway` is a
    different cell, with the connection inside its recurrence.

    For deep stacks that are unstable with plain residual connections. The paper initialises bt to
    values from -1 to -3.

    Reference: Srivastava, Greff and Schmidhuber, "Training Very Deep Networks", NeurIPS 2015,
    equation 3, with a recurrent layer for H.

    Args:
        units: size of the output and of the inner cell.
        transform_bias: initial value of bt, which is there even without `use_bias`.
        **kwargs: see `WrapperCell`.
    """

    def __init__(self, units: int, *, transform_bias: float = -1.0, **kwargs: Any):
        super().__init__(units, **kwargs)
        self.transform_bias = transform_bias

    def build(self, input_shape):
        super().build(input_shape)
        self.transform_kernel = self.add_weight(
            shape=(self.features, self.units),
            name="transform_kernel",
            initializer=clone_initializer(self.kernel_initializer),
        )
        self.gate_bias = self.add_weight(
            shape=(self.units,),
            name="transform_bias",
            initializer=filled_with(self.transform_bias),
        )

    def combine(self, outputs, inputs):
        t = ops.matmul(inputs, ops.convert_to_tensor(self.transform_kernel))
        t = ops.sigmoid(t + ops.convert_to_tensor(self.gate_bias))
        return t * outputs + (1 - t) * self.shortcut(inputs)

    def get_config(self) -> dict:
        return {**super().get_config(), "transform_bias": self.transform_bias}
