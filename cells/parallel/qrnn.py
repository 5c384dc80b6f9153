"""The quasi-recurrent network: convolutions over time and a pointwise recurrence."""

import keras
from keras import ops

from seqzoo.cells.activation_gradients import derivative, have_derivatives
from seqzoo.cells.base import RecurrentCell


@keras.saving.register_keras_serializable(package="seqzoo")
class QRNNCell(RecurrentCell):
    """Gates computed from the current and the previous input, and fo-pooling.

        n = tanh(W x + V x' + b)
        f = sigmoid(Wf x + Vf x' + bf)
        o = sigmoid(Wo x + Vo x' + bo)
        c = f * c + (1 - f) * n
        h = o * c

    x' is the input of the previous step: a causal convolution of width two, as in the paper's
    language model. States are [h, c] and, for the last unmasked step, V x', Vf x' and Vo x', so
    that the cell can also be run one step at a time. Columns: those of W (candidate, forget,
    output), then of V.

    Reference: Bradbury, Merity, Xiong and Socher, "Quasi-Recurrent Neural Networks", ICLR 2017,
    section 2, equations 3 and 5.

    Args:
        units: size of h and of c.
        **kwargs: see `RecurrentCell`.
    """

    gates = (
        "candidate",
        "forget",
        "output",
        "earlier_candidate",
        "earlier_forget",
        "earlier_output",
    )
    recurrent_gates = ()
    biased_gates = ("candidate", "forget", "output")
    record_states = (2, 3, 4)
    unused_options = ("recurrent_initializer",)

    @property
    def state_size(self):
        return [self.units] * 5

    def step(self, x, r, states):
        h, new, _ = self.step_with_values(x, r, states)
        return h, new

    @property
    def has_step_gradient(self):
        return have_derivatives(self.activation)

    def step_with_values(self, x, r, states):
        _, before, candidate, forget, output = states
        n = self.activation(x.candidate + candidate)
        f = ops.sigmoid(x.forget + forget)
        o = ops.sigmoid(x.output + output)
        c = n + f * (before - n)
        h = o * c
        new = [h, c, x.earlier_candidate, x.earlier_forget, x.earlier_output]
        return h, new, (n, f, o, before, c)

    def step_gradient(self, values, d_states):
        (n, f, o, before, c), (dh, dc, *d_earlier) = values, d_states
        dc = dc + dh * o
        d_now = [
            dc * (1 - f) * derivative(self.activation, n),
            dc * (before - n) * f * (1 - f),
            dh * c * o * (1 - o),
        ]
        return [*d_now, *d_earlier], None, [ops.zeros_like(dh), dc * f, *d_now]
