"""The strongly-typed vanilla RNN."""

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

    A baseline for the LSTM and the GRU, which it matches in the paper on character- and word-level
    language modelling.

    Reference: Balduzzi and Ghifary, "Strongly-Typed Recurrent Neural Networks", ICML 2016.

    Args:
        units: size of the state.
        **kwargs: see `RecurrentCell`.
    """

    gates = ("candidate", "forget")
    recurrent_gates = ()
    unused_options = ("activation", "recurrent_initializer")

    def step(self, x, r, states):
        (h,) = states
        f = self.recurrent_activation(x.forget)
        h = f * h + (1 - f) * x.candidate
        return h, [h]
