"""The intersection recurrent network, gated in time and in depth."""

from typing import Any

import keras

from seqzoo.cells.gates import CellWithShortcut, masked
from seqzoo.cells.options import from_keras


@keras.saving.register_keras_serializable(package="seqzoo")
class IntersectionRNNCell(CellWithShortcut):
    """+RNN: one gate passes the state on in time, another passes the input on in depth.

        u = relu(Wu x + Uu h + bu)
        n = tanh(Wn x + Un h + bn)
        d = sigmoid(Wd x + Ud h + bd)
        g = sigmoid(Wg x + Ug h + bg)
        y = d * s + (1 - d) * u
        h = g * h + (1 - g) * n

    s is x if it has as many features as the cell has units, as in the paper, otherwise Ws x. States
    are [y, h]; y is the output, which is not fed back. Columns: output candidate, candidate, depth,
    update. In RecurrentLayers.jl, u is weighted by one minus the other gate.

    For deep stacks: in the paper eight layers train more easily than eight GRU or LSTM layers.

    Reference: Collins, Sohl-Dickstein and Sussillo, "Capacity and Trainability in Recurrent Neural
    Networks", ICLR 2017.

    Args:
        units: size of y and of h.
        output_activation: nonlinearity of the output candidate u.
        **kwargs: see `RecurrentCell`.
    """

    gates = ("output_candidate", "candidate", "depth", "update")

    def __init__(self, units: int, *, output_activation: Any = "relu", **kwargs: Any):
        super().__init__(units, **kwargs)
        self.output_activation = from_keras("output_activation", output_activation)

    @property
    def state_size(self):
        return [self.units, self.units]

    def advance(self, x, states, recurrent_mask=None):
        _, h = states
        x, s = self.split_shortcut(x)
        r = self.split_recurrent(self.recur(masked(h, recurrent_mask)))
        u = self.output_activation(x.output_candidate + r.output_candidate)
        n = self.activation(x.candidate + r.candidate)
        d = self.recurrent_activation(x.depth + r.depth)
        g = self.recurrent_activation(x.update + r.update)
        y = d * s + (1 - d) * u
        return y, [y, g * h + (1 - g) * n]

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "output_activation": keras.activations.serialize(self.output_activation),
        }
