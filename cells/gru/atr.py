"""The addition-subtraction twin-gated recurrent network."""

from keras import saving

from seqzoo.cells.gates import CellWithGates


@saving.register_keras_serializable(package="seqzoo")
class ATRCell(CellWithGates):
    """Two gates from one projection of the input and one of the state, by sum and difference.

        p = W x + b
        q = U h
        i = sigmoid(p + q)
        f = sigmoid(p - q)
        h = i * p + f * h

    The paper has no bias (`use_bias=False`). The state is a weighted sum of projected
    inputs; the weights can be read off the gates.

    For translation: two matrices where a GRU has six, and competitive in the paper.

    Reference: Zhang, Xiong, Su, Lin and Zhang, "Simplifying Neural Machine Translation with
    Addition-Subtraction Twin-Gated Recurrent Networks", EMNLP 2018.

    Args:
        units: size of the state.
        **kwargs: see `RecurrentCell`.
    """

    gates = ("input",)
    separate = ("input",)
    unused_options = ("activation",)

    def step(self, x, r, states):
        (h,) = states
        i = self.recurrent_activation(x.input + r.input)
        f = self.recurrent_activation(x.input - r.input)
        h = i * x.input + f * h
        return h, [h]
