"""The bistable recurrent cell, in which each unit feeds back only on itself."""

from keras import ops, saving

from seqzoo.cells.gates import CellWithGates


@saving.register_keras_serializable(package="seqzoo")
class BRCCell(CellWithGates):
    """Each unit feeds back on itself, at times so strongly that it has two stable states.

        a = 1 + tanh(Wa x + va * h + ba)
        c = sigmoid(Wc x + vc * h + bc)
        n = tanh(Wn x + a * h)
        h = c * h + (1 - c) * n

    Columns: feedback, update, candidate; the candidate has no bias. va and vc have one weight per
    unit and start at one, as in the authors' code. If a is above one and the input is zero, h keeps
    its sign forever; below one, h decays to zero. h stays between -1 and 1 if it starts there.
    RecurrentLayers.jl has more biases.

    For memories that must not fade, over hundreds of steps; in `nbrc`, units control each
    other's feedback.

    Reference: Vecoven, Ernst and Drion, "A Bio-inspired Bistable Recurrent Cell Allows for
    Long-lasting Memory", PLoS ONE 16(6), 2021.

    Args:
        units: size of the state.
        **kwargs: see `RecurrentCell`.
    """

    gates = ("feedback", "update", "candidate")
    recurrent_gates = ()
    biased_gates = ("feedback", "update")
    unit_weights = ("feedback_weight", "update_weight")
    recurrent_names = unit_weights
    unused_options = ("recurrent_initializer",)

    def initial_unit_weight(self, name, shape, dtype=None):
        return ops.ones(shape, dtype)

    def step(self, x, r, states, weights):
        (h,) = states
        a = 1 + self.activation(x.feedback + weights.feedback_weight * h)
        c = self.recurrent_activation(x.update + weights.update_weight * h)
        h = c * h + (1 - c) * self.activation(x.candidate + a * h)
        return h, [h]
