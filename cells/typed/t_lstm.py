"""The strongly-typed long short-term memory."""

from keras import saving

from seqzoo.cells.gates import CellWithGates


@saving.register_keras_serializable(package="seqzoo")
class TLSTMCell(CellWithGates):
    """A memory of features of the input and the previous input; no matrix multiplies the memory.

        z = Vz x + Wz p + bz
        f = sigmoid(Vf x + Wf p + bf)
        o = tanh(Vo x + Wo p + bo)
        c = f * c + (1 - f) * z
        h = c * o

    p is the input before x, zero at first. States are [h, c, Wz p, Wf p, Wo p]. Columns: those of V
    (candidate, forget, output), then those of W, without biases.

    A baseline for the LSTM; in the paper, it reaches a lower training loss on character- and
    word-level language modelling.

    Reference: Balduzzi and Ghifary, "Strongly-Typed Recurrent Neural Networks", ICML 2016.

    Args:
        units: size of each state.
        **kwargs: see `RecurrentCell`.
    """

    gates = ("candidate", "forget", "output", "next_candidate", "next_forget", "next_output")
    recurrent_gates = ()
    biased_gates = ("candidate", "forget", "output")
    record_states = (2, 3, 4)
    unused_options = ("recurrent_initializer",)

    @property
    def state_size(self):
        return [self.units] * 5

    def step(self, x, r, states):
        _, c, before_candidate, before_forget, before_output = states
        z = x.candidate + before_candidate
        f = self.recurrent_activation(x.forget + before_forget)
        o = self.activation(x.output + before_output)
        c = f * c + (1 - f) * z
        h = c * o
        return h, [h, c, x.next_candidate, x.next_forget, x.next_output]
