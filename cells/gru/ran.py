"""The recurrent additive network: a memory of weighted inputs, without nonlinear candidates."""

from keras import saving

from seqzoo.cells.gates import CellWithGates


@saving.register_keras_serializable(package="seqzoo")
class RANCell(CellWithGates):
    """An LSTM whose candidate is a linear map of the input, so that c is a weighted sum of inputs.

        i = sigmoid(Wi x + Ui h + bi)
        f = sigmoid(Wf x + Uf h + bf)
        c = f * c + i * (Wn x)
        h = tanh(c)

    States are [h, c]. Columns: input, forget, candidate; the last has neither a recurrent product
    nor a bias (RecurrentLayers.jl gives it one). `activation="linear"` is the paper's other form.

    For interpretable language models: the gates determine the weight of each input in c.

    Reference: Lee, Levy and Zettlemoyer, "Recurrent Additive Networks", arXiv 1705.07393, 2017.

    Args:
        units: size of h and of c.
        **kwargs: see `RecurrentCell`.
    """

    gates = ("input", "forget", "candidate")
    recurrent_gates = ("input", "forget")
    biased_gates = ("input", "forget")

    @property
    def state_size(self):
        return [self.units, self.units]

    def step(self, x, r, states):
        _, c = states
        i = self.recurrent_activation(x.input + r.input)
        f = self.recurrent_activation(x.forget + r.forget)
        c = f * c + i * x.candidate
        h = self.activation(c)
        return h, [h, c]
