"""The strongly-typed vanilla network."""

from keras import saving

from seqzoo.cells.gates import CellWithGates


@saving.register_keras_serializable(package="seqzoo")
class TRNNCell(CellWithGates):
    """A running mean of projected inputs, with weights that depend on the input.

        z = Wz x + bz
        f = sigmoid(Wf x + bf)
        h = f * h + (1 - f) * z

    Columns: candidate, forget. No matrix multiplies the state, so a unit means the same at every
    step.

    For comparison with gated cells, which it matches on characters and words in the paper.

    Reference: Balduzzi and Ghifary, "Strongly-Typed Recurrent Neural Networks", ICML 2016.

    Args:
        units: size of the state.
        **kwargs: see `RecurrentCell`.
    """

    gates = ("candidate", "forget")
    recurrent_gates = ()

    def step(self, x, r, states):
        (h,) = states
        f = self.recurrent_activation(x.forget)
        h = f * h + (1 - f) * x.candidate
        return h, [h]
