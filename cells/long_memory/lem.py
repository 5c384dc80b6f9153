"""Long expressive memory."""

from typing import Any

import keras
from keras import ops

from seqzoo.cells.base import RecurrentCell
from seqzoo.cells.gates import clone_initializer


@keras.saving.register_keras_serializable(package="seqzoo")
class LEMCell(RecurrentCell):
    """Two states at different speeds, with step sizes that depend on the input and the state.

        s = dt * sigmoid(Ws x + Us y + bs)
        t = dt * sigmoid(Wt x + Ut y + bt)
        z = (1 - s) * z + s * tanh(Wz x + Uz y + bz)
        y = (1 - t) * y + t * tanh(Wy x + V z + by)

    States are [y, z]; y is the output, and its candidate reads the new z, as in the paper (another
    library reads the old one). Columns: fast, slow, memory, output, of which the last has V,
    `memory_kernel`, instead of a recurrent product.

    Reference: Rusch, Mishra, Erichson and Mahoney, "Long Expressive Memory for Sequence Modeling",
    ICLR 2022, equation 3.

    Args:
        units: size of y and of z.
        dt: largest step size, above 0; 1 in most of the paper's experiments.
        **kwargs: see `RecurrentCell`.

    Raises:
        ValueError: `dt` is not above 0.
    """

    gates = ("fast", "slow", "memory", "output")

    def __init__(self, units: int, *, dt: float = 1.0, **kwargs: Any):
        if dt <= 0:
            raise ValueError(f"`dt` must be above 0, got {dt!r}.")
        super().__init__(units, **kwargs)
        self.dt = dt

    @property
    def state_size(self):
        return [self.units, self.units]

    def recurrent_kernel_shape(self):
        return (self.units, 3 * self.units)

    def build(self, input_shape):
        super().build(input_shape)
        self.memory_kernel = self.add_weight(
            shape=(self.units, self.units),
            name="memory_kernel",
            initializer=clone_initializer(self.recurrent_initializer),
        )

    def advance(self, x, states, recurrent_mask=None):
        y, z = states
        x = self.split(x)
        m = y if recurrent_mask is None else y * recurrent_mask
        r_fast, r_slow, r_memory = ops.split(self.recur(m), 3, axis=-1)
        s = self.dt * ops.sigmoid(x.fast + r_fast)
        t = self.dt * ops.sigmoid(x.slow + r_slow)
        z = (1 - s) * z + s * self.activation(x.memory + r_memory)
        y = (1 - t) * y + t * self.activation(x.output + ops.matmul(z, self.memory_kernel))
        return y, [y, z]

    def get_config(self) -> dict:
        return {**super().get_config(), "dt": self.dt}
