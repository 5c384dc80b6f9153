"""The gated recurrent unit over frames."""

import keras
from keras import ops

from seqzoo.cells.convolutional.frames import FrameCell
from seqzoo.cells.gates import masked


@keras.saving.register_keras_serializable(package="seqzoo")
class ConvGRUCell(FrameCell):
    """A GRU over feature maps: convolutions, written (.), replace the matrix products.

        z = sigmoid(Wz (.) x + Uz (.) h + bz)
        r = sigmoid(Wr (.) x + Ur (.) h + br)
        n = tanh(W (.) x + U (.) (r * h) + b)
        h = (1 - z) * h + z * n

    The state is h, (batch, height, width, units). Gates: update, reset, candidate. The paper omits
    the biases (`use_bias=False`).

    For video, on top of a convolutional network's feature maps: the paper recognises actions with
    64 to 512 units on each of five maps.

    Reference: Ballas, Yao, Pal and Courville, "Delving Deeper into Convolutional Networks for
    Learning Video Representations", ICLR 2016, equations 6 to 9.

    Args:
        units: channels of h.
        **kwargs: see `FrameCell`.
    """

    gates = ("update", "reset", "candidate")

    def advance(self, x, states, recurrent_mask=None):
        (h,) = states
        x, m = self.split(x), masked(h, recurrent_mask)
        gate_kernel, candidate_kernel = ops.split(
            self.recurrent_matrix(), [2 * self.units], axis=-1
        )
        z, r = ops.split(self.convolve(m, gate_kernel), 2, axis=-1)
        z = self.recurrent_activation(x.update + z)
        r = self.recurrent_activation(x.reset + r)
        n = self.activation(x.candidate + self.convolve(r * m, candidate_kernel))
        h = (1 - z) * h + z * n
        return h, [h]

    def joint_step(self):
        gate_kernel, candidate_kernel = ops.split(self.joint_kernel(), [2 * self.units], axis=-1)

        def step(inputs, states, recurrent_mask=None):
            (h,) = states
            m = masked(h, recurrent_mask)
            gates = self.convolve(self.joint_frames(inputs, m), gate_kernel)
            # Not in one call: an activation may combine the channels, such as softmax.
            z, r = map(self.recurrent_activation, ops.split(gates, 2, axis=-1))
            n = self.activation(self.convolve(self.joint_frames(inputs, r * m), candidate_kernel))
            h = h + z * (n - h)
            return h, [h]

        return step
