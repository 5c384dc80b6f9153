"""Long short-term memory with elementwise recurrence."""

from keras import ops, saving

from seqzoo.cells.gates import CellWithGates, masked


@saving.register_keras_serializable(package="seqzoo")
class ELSTMCell(CellWithGates):
    """An LSTM with elementwise feedback of the memory, for cheap real-time recurrent learning.

        f = sigmoid(Wf x + vf * c + bf)
        z = tanh(Wz x + vz * c + bz)
        c = f * c + (1 - f) * z
        o = sigmoid(Wo x + Uo c + bo)
        h = o * c

    States are [h, c], of which h is not fed back. Columns: forget, candidate, output. vf and vz
    have one weight per unit and start at zero. c stays between -1 and 1 if it starts there.

    For online learning: with elementwise feedback, the exact gradient of real-time recurrent
    learning is cheap for one layer. The paper's agents play DMLab and Atari games with it.

    Reference: Irie, Gopalakrishnan and Schmidhuber, "Exploring the Promise and Limits of Real-Time
    Recurrent Learning", ICLR 2024, arXiv 2305.19044.

    Args:
        units: size of h and of c.
        **kwargs: see `RecurrentCell`.
    """

    gates = ("forget", "candidate", "output")
    recurrent_gates = ("output",)
    unit_weights = ("forget_weight", "candidate_weight")
    recurrent_names = unit_weights

    @property
    def state_size(self):
        return [self.units, self.units]

    def advance(self, x, states, recurrent_mask=None):
        _, c = states
        x, (weights,) = self.split(x), self.step_weights()
        f = self.recurrent_activation(x.forget + weights.forget_weight * c)
        z = self.activation(x.candidate + weights.candidate_weight * c)
        c = f * c + (1 - f) * z
        r = ops.matmul(masked(c, recurrent_mask), self.recurrent_matrix())
        h = self.recurrent_activation(x.output + r) * c
        return h, [h, c]
