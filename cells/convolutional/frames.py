"""Base class of the convolutional cells: convolutions of the input and of the state."""

from typing import Any

import numpy as np
from keras import ops

from seqzoo.cells.gates import CellWithGates


class FrameCell(CellWithGates):
    """A cell whose products are convolutions over height and width; abstract.

    Steps are (batch, height, width, channels) and states (batch, height, width, units). Borders are
    padded with zeros, so that frames keep their size.

    Args:
        units: channels of the output and of each state.
        kernel_size: height and width of the kernels: an odd number, or a pair of odd numbers.
        **kwargs: see `CellWithGates`.

    Raises:
        ValueError: `kernel_size` is not one or two odd numbers, or the height or width of frames is
            not known when the cell is built.
    """

    input_rank = 4

    def __init__(self, units: int, *, kernel_size: int | tuple[int, int] = 3, **kwargs: Any):
        super().__init__(units, **kwargs)
        is_pair = isinstance(kernel_size, list | tuple)
        sides = list(kernel_size) if is_pair else [kernel_size] * 2
        sides = [side.item() if isinstance(side, np.integer) else side for side in sides]
        odd = [type(side) is int and side > 0 and side % 2 == 1 for side in sides]
        if odd != [True, True]:
            raise ValueError(
                f"`kernel_size` must be one or two odd numbers of at least 1, got {kernel_size!r}."
            )
        self.kernel_size = sides
        self.frame = [None, None]

    @property
    def output_size(self):
        return (*self.frame, self.units)

    @property
    def state_size(self):
        return [self.output_size]

    def build(self, input_shape):
        *_, height, width, _ = input_shape
        if height is None or width is None:
            raise ValueError(
                f"{type(self).__name__} needs frames of a known height and width, got "
                f"{height} x {width}."
            )
        self.frame = [height, width]
        super().build(input_shape)

    def kernel_shape(self, features):
        return (*self.kernel_size, features, len(self.gates) * self.units)

    def recurrent_kernel_shape(self):
        return (*self.kernel_size, self.units, len(self.gates) * self.units)

    def project(self, inputs):
        """(..., height, width, channels) -> (..., height, width, gates * units)."""
        frames = ops.reshape(inputs, (-1, *inputs.shape[-3:]))
        x = self.convolve(frames, self.input_matrix())
        x = ops.reshape(x, (*ops.shape(inputs)[:-1], x.shape[-1]))
        bias = self.input_bias()
        return x if bias is None else x + bias

    def convolve(self, frames: Any, kernel: Any) -> Any:
        """(batch, height, width, channels) and (rows, columns, channels, n) -> (..., n)."""
        return ops.conv(frames, kernel, padding="same", data_format="channels_last")

    def joint_kernel(self) -> Any:
        """The kernel that convolves `joint_frames`. It includes the bias, because adding that
        separately would take another pass over the result."""
        kernels, bias = [self.input_matrix(), self.recurrent_matrix()], self.input_bias()
        if bias is not None:  # at the centre of the kernel, which never overlaps the padding
            margins = [[side // 2, side // 2] for side in self.kernel_size]
            kernels.append(ops.pad(bias[None, None, None], [*margins, [0, 0], [0, 0]]))
        return ops.concatenate(kernels, axis=-2)

    def joint_frames(self, inputs: Any, state: Any) -> Any:
        """The channels of the input and of a state, and one channel of ones for the bias."""
        ones = [] if self.bias is None else [ops.ones_like(inputs[..., :1])]
        return ops.concatenate([inputs, state, *ones], axis=-1)

    def get_config(self) -> dict:
        return {**super().get_config(), "kernel_size": self.kernel_size}
