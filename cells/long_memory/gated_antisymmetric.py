"""The antisymmetric recurrence with a gate."""

import keras
from keras import ops

from seqzoo.cells.long_memory.antisymmetric_base import AntisymmetricCell


@keras.saving.register_keras_serializable(package="seqzoo")
class GatedAntisymmetricRNNCell(AntisymmetricCell):
    """A gate on each Euler step, with the same recurrent matrix as the candidate.

        r = (U - U^T - gamma I) h
        z = sigmoid(Wz x + r + bz)
        h = h + epsilon * z * tanh(W x + r + b)

    Columns: gate, candidate.

    Reference: Chang, Chen, Haber and Chi, "AntisymmetricRNN: A Dynamical System View on Recurrent
    Neural Networks", ICLR 2019, equation 13.

    Args:
        units: size of the state.
        epsilon: step size, above 0.
        gamma: strength of diffusion, at least 0.
        **kwargs: see `RecurrentCell`; `recurrent_initializer` is normal with variance
            1 / units by default.

    Raises:
        ValueError: `epsilon` is not above 0, or `gamma` is below 0.
    """

    gates = ("gate", "candidate")
    recurrent_gates = ("shared",)

    def step(self, x, r, states):
        (h,) = states
        z = ops.sigmoid(x.gate + r.shared)
        h = h + self.epsilon * z * self.activation(x.candidate + r.shared)
        return h, [h]
