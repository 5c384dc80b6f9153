"""The strongly-typed gated recurrent unit."""

from keras import saving

from seqzoo.cells.gates import CellWithGates


@saving.register_keras_serializable(package="seqzoo")
class TGRUCell(CellWithGates):
    """A gated sum of features of the input and the previous input; no matrix multiplies the state.

        z = Vz x + Wz p + bz
        f = sigmoid(Vf x + Wf p + bf)
        o = tanh(Vo x + Wo p + bo)
        h = f * h + z * o

    p is the input before x, zero at first. States are [h, Wz p, Wf p, Wo p]. Columns: those of V
    (candidate, forget, output), then those of W, without biases.

    A baseline for the GRU, which it matches in the paper on character- and word-level language
    modelling.

    Reference: Balduzzi and Ghifary, "Strongly-Typed Recurrent Neural Networks", ICML 2016.

    Args:
        units: size of each state.
        **kwargs: see `RecurrentCell`.
    """

    gates = ("candidate", "forget", "output", "next_candidate", "next_forget", "next_output")
    recurrent_gates = ()
    biased_gates = ("candidate", "forget", "output")
    record_states = (1, 2, 3)
    unused_options = ("recurrent_initializer",)

    @property
    def state_size(self):
        return [self.units] * 4

    def step(self, x, r, states):
        h, before_candidate, before_forget, before_output = states
        z = x.candidate + before_candidate
        f = self.recurrent_activation(x.forget + before_forget)
        o = self.activation(x.output + before_output)
        h = f * h + z * o
        return h, [h, x.next_candidate, x.next_forget, x.next_output]
