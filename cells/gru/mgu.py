"""The minimal gated unit, which has one gate."""

from keras import ops, saving

from seqzoo.cells.gates import CellWithGates, masked


@saving.register_keras_serializable(package="seqzoo")
class MGUCell(CellWithGates):
    """A GRU whose update and reset gates are merged into one, the forget gate f.

        f = sigmoid(Wf x + Uf h + bf)
        n = tanh(Wn x + Un (f * h) + bn)
        h = (1 - f) * h + f * n

    Columns: forget, candidate. h stays between -1 and 1 if it starts there. RecurrentLayers.jl
    documents these equations but computes f * h + (1 - f) * n.

    A GRU with two thirds of the weights; `mgu1`, `mgu2` and `mgu3` simplify its gate.

    Reference: Zhou, Wu, Zhang and Zhou, "Minimal Gated Unit for Recurrent Neural Networks",
    International Journal of Automation and Computing 13(3), 2016, section 3.

    Args:
        units: size of the state.
        **kwargs: see `RecurrentCell`.
    """

    gates = ("forget", "candidate")

    def advance(self, x, states, recurrent_mask=None):
        (h,) = states
        m = masked(h, recurrent_mask)
        x = self.split(x)
        Uf, Un = ops.split(self.recurrent_matrix(), 2, axis=1)
        f = self.recurrent_activation(x.forget + ops.matmul(m, Uf))
        n = self.activation(x.candidate + ops.matmul(f * m, Un))
        h = (1 - f) * h + f * n
        return h, [h]
