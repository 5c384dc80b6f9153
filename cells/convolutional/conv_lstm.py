"""Long short-term memory over frames."""

from typing import Any

import keras
from keras import ops

from seqzoo.cells.convolutional.frames import FrameCell
from seqzoo.cells.gates import masked


@keras.saving.register_keras_serializable(package="seqzoo")
class ConvLSTMCell(FrameCell):
    """An LSTM over feature maps: convolutions, written (.), replace the matrix products.

        i = sigmoid(Wi (.) x + Ui (.) h + pi * c + bi)
        f = sigmoid(Wf (.) x + Uf (.) h + pf * c + bf)
        g = tanh(Wg (.) x + Ug (.) h + bg)
        c = f * c + i * g
        o = sigmoid(Wo (.) x + Uo (.) h + po * c + bo)
        h = o * tanh(c)

    States are [h, c], (batch, height, width, units). Gates: input, forget, candidate, output. The
    peepholes p have a weight for each position and unit, and start at zero; o sees the new c.
    With `peepholes=False`, the weights have the same shapes and order as those of Keras'
    ConvLSTM2D, which has no peepholes.

    For radar, satellite and video frames. The paper forecasts rain with two layers of 64 units and
    kernels of 3.

    Reference: Shi, Chen, Wang, Yeung, Wong and Woo, "Convolutional LSTM Network: A Machine Learning
    Approach for Precipitation Nowcasting", NeurIPS 2015, equation 3.

    Args:
        units: channels of h and of c.
        peepholes: whether the gates see the memory.
        unit_forget_bias: whether bf starts at one.
        **kwargs: see `FrameCell`.
    """

    gates = ("input", "forget", "candidate", "output")

    def __init__(
        self, units: int, *, peepholes: bool = True, unit_forget_bias: bool = True, **kwargs: Any
    ):
        super().__init__(units, **kwargs)
        self.peepholes = peepholes
        self.unit_forget_bias = unit_forget_bias

    @property
    def state_size(self):
        return [self.output_size, self.output_size]

    def initial_bias(self, shape, dtype=None):
        bias = super().initial_bias(shape, dtype)
        return self.with_gate_bias(bias, "forget", 1) if self.unit_forget_bias else bias

    def build(self, input_shape):
        super().build(input_shape)
        for gate in ("input", "forget", "output") if self.peepholes else ():
            name = f"{gate}_peephole"
            weight = self.add_weight(shape=self.output_size, name=name, initializer="zeros")
            setattr(self, name, weight)

    def advance(self, x, states, recurrent_mask=None):
        h, c = states
        return self._gated(x + self.convolve(masked(h, recurrent_mask), self.recurrent_matrix()), c)

    def joint_step(self):
        kernel = self.joint_kernel()

        def step(inputs, states, recurrent_mask=None):
            h, c = states
            frames = self.joint_frames(inputs, masked(h, recurrent_mask))
            return self._gated(self.convolve(frames, kernel), c)

        return step

    def _gated(self, z: Any, c: Any) -> tuple[Any, list]:
        """The elementwise part of a step."""
        z = self.split(z)
        i = self.recurrent_activation(self._with_peephole(z.input, c, "input"))
        f = self.recurrent_activation(self._with_peephole(z.forget, c, "forget"))
        c = f * c + i * self.activation(z.candidate)
        o = self.recurrent_activation(self._with_peephole(z.output, c, "output"))
        h = o * self.activation(c)
        return h, [h, c]

    def _with_peephole(self, z: Any, c: Any, gate: str) -> Any:
        """A gate's pre-activation with the peephole to the memory added."""
        if not self.peepholes:
            return z
        return z + ops.convert_to_tensor(getattr(self, f"{gate}_peephole")) * c

    def get_config(self) -> dict:
        options = {"peepholes": self.peepholes, "unit_forget_bias": self.unit_forget_bias}
        return {**super().get_config(), **options}
