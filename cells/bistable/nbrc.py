"""The recurrently neuromodulated bistable cell."""

from keras import saving

from seqzoo.cells.gates import CellWithGates


@saving.register_keras_serializable(package="seqzoo")
class NBRCCell(CellWithGates):
    """A bistable cell whose units control each other's feedback.

        a = 1 + tanh(Wa x + Ua h + ba)
        c = sigmoid(Wc x + Uc h + bc)
        n = tanh(Wn x + a * h)
        h = c * h + (1 - c) * n

    Columns: feedback, update, candidate; the candidate has neither a recurrent product nor a bias.
    h stays between -1 and 1 if it starts there. RecurrentLayers.jl documents Ua h and Uc h, but
    adds the projected inputs a second time instead.

    For memories that must not fade: in the paper it recalls inputs across 600 steps, where a GRU
    and an LSTM fail.

    Reference: Vecoven, Ernst and Drion, "A Bio-inspired Bistable Recurrent Cell Allows for
    Long-lasting Memory", PLoS ONE 16(6), 2021.

    Args:
        units: size of the state.
        **kwargs: see `RecurrentCell`.
    """

    gates = ("feedback", "update", "candidate")
    recurrent_gates = ("feedback", "update")
    biased_gates = ("feedback", "update")

    def step(self, x, r, states):
        (h,) = states
        a = 1 + self.activation(x.feedback + r.feedback)
        c = self.recurrent_activation(x.update + r.update)
        h = c * h + (1 - c) * self.activation(x.candidate + a * h)
        return h, [h]
