"""The simple gated recurrent network: gate and candidate share one projection of the input."""

from keras import saving

from seqzoo.cells.gates import CellWithGates


@saving.register_keras_serializable(package="seqzoo")
class SimpleGatedRNNCell(CellWithGates):
    """A cell whose only gate and whose candidate share one projection of the input, W x.

        f = sigmoid(W x + U h + b)
        h = tanh((1 - f) * (W x) + f * h)

    The equations are those in the documentation of RecurrentLayers.jl, whose code also adds b to
    the second W x.

    The smallest gated cell, with one input matrix and one recurrent matrix; designed for power-grid
    signals.

    Reference: Zu and Wei, "A simple gated recurrent network for detection of power quality
    disturbances", IET Generation, Transmission and Distribution 15, 2021, doi 10.1049/gtd2.12056.

    Args:
        units: size of the state.
        **kwargs: see `RecurrentCell`.
    """

    gates = ("forget",)
    separate = ("forget",)

    def input_bias(self):
        return None

    def recurrent_bias(self):
        return super().input_bias()

    def step(self, x, r, states):
        (h,) = states
        f = self.recurrent_activation(x.forget + r.forget)
        h = self.activation((1 - f) * x.forget + f * h)
        return h, [h]
