"""An antisymmetric recurrence: one step of a stable differential equation."""

import keras

from seqzoo.cells.long_memory.antisymmetric_base import AntisymmetricCell


@keras.saving.register_keras_serializable(package="seqzoo")
class AntisymmetricRNNCell(AntisymmetricCell):
    """h = h + epsilon * tanh(W x + (U - U^T - gamma I) h + b)

    One Euler step of a differential equation whose Jacobian has eigenvalues near the imaginary
    axis: states neither vanish nor explode. The paper uses epsilon from 0.01 to 1 and gamma
    from 0 to 1.

    Reference: Chang, Chen, Haber and Chi, "AntisymmetricRNN: A Dynamical System View on Recurrent
    Neural Networks", ICLR 2019, equation 11.

    Args:
        units: size of the state.
        epsilon: step size, above 0.
        gamma: strength of diffusion, at least 0.
        **kwargs: see `RecurrentCell`; `recurrent_initializer` is normal with variance
            1 / units by default.

    Raises:
        ValueError: `epsilon` is not above 0, or `gamma` is below 0.
    """

    gates = ("candidate",)

    def step(self, x, r, states):
        (h,) = states
        h = h + self.epsilon * self.activation(x.candidate + r.candidate)
        return h, [h]
