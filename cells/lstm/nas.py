"""The cell found by neural architecture search on language modelling."""

from keras import ops, saving

from seqzoo.cells.gates import CellWithGates


@saving.register_keras_serializable(package="seqzoo")
class NASCell(CellWithGates):
    """A tree of eight projections, found by a controller that was trained on Penn Treebank.

        a1 = sigmoid(W1 x + U1 h + b1)
        a2 = relu(W2 x + U2 h + b2)
        a3 = sigmoid(W3 x + U3 h + b3)
        a4 = relu((W4 x + b4) * (U4 h))
        a5 = tanh(W5 x + U5 h + b5)
        a6 = sigmoid(W6 x + U6 h + b6)
        a7 = tanh(W7 x + U7 h + b7)
        a8 = sigmoid(W8 x + U8 h + b8)
        c = tanh(tanh(a1 * a2) + c) * tanh(a3 + a4)
        h = tanh(c * tanh(tanh(a5 * a6) + sigmoid(a7 + a8)))

    States are [h, c]. Columns: first to eighth. The authors' code has no bias by default
    (`use_bias=False`); with one, it computes a4 = relu((W4 x) * (U4 h + b4)), so weights with a
    bias b4 other than zero have no equivalent here. RecurrentLayers.jl documents the product in a4
    but computes a sum.

    For language models: the paper's best result on Penn Treebank is a perplexity of 62.4, with
    shared embeddings.

    Reference: Zoph and Le, "Neural Architecture Search with Reinforcement Learning", ICLR 2017,
    appendix A; the authors' NASCell in TensorFlow.

    Args:
        units: size of h and of c.
        **kwargs: see `RecurrentCell`.
    """

    gates = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
    separate = ("fourth",)

    @property
    def state_size(self):
        return [self.units, self.units]

    def step(self, x, r, states):
        _, c = states
        tanh, sigmoid = self.activation, self.recurrent_activation
        upper = tanh(sigmoid(x.first + r.first) * ops.relu(x.second + r.second))
        lower = tanh(sigmoid(x.third + r.third) + ops.relu(x.fourth * r.fourth))
        left = tanh(tanh(x.fifth + r.fifth) * sigmoid(x.sixth + r.sixth))
        right = sigmoid(tanh(x.seventh + r.seventh) + sigmoid(x.eighth + r.eighth))
        c = tanh(upper + c) * lower
        h = tanh(c * tanh(left + right))
        return h, [h, c]
