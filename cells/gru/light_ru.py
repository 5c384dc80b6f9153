"""The light recurrent unit: one gate, and a candidate that sees only the input."""

from keras import saving

from seqzoo.cells.gates import CellWithGates


@saving.register_keras_serializable(package="seqzoo")
class LightRUCell(CellWithGates):
    """One gate mixes the state with a candidate that depends only on the input.

        n = tanh(Wn x)
        f = sigmoid(Wf x + Uf h + bf)
        h = (1 - f) * h + f * n

    Columns: candidate, forget; only the latter has a recurrent product and a bias;
    RecurrentLayers.jl gives the candidate a bias, too.

    For small models that run in real time; h is a weighted mean of the candidates so far, which
    makes it easy to interpret.

    Reference: Ye, Zhang, Liu, Li, Chang and Zheng, "Light Recurrent Unit: Towards an Interpretable
    Recurrent Neural Network for Modeling Long-Range Dependency", Electronics 13(16), 2024.

    Args:
        units: size of the state.
        **kwargs: see `RecurrentCell`.
    """

    gates = ("candidate", "forget")
    recurrent_gates = ("forget",)
    biased_gates = ("forget",)

    def step(self, x, r, states):
        (h,) = states
        f = self.recurrent_activation(x.forget + r.forget)
        h = (1 - f) * h + f * self.activation(x.candidate)
        return h, [h]
