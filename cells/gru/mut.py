"""MUT1, MUT2 and MUT3: three cells found by an evolutionary search."""

from typing import Any

from keras import ops, saving

from seqzoo.cells.gates import CellWithGates, CellWithShortcut, masked


@saving.register_keras_serializable(package="seqzoo")
class MUT1Cell(CellWithShortcut):
    """MUT1: an update gate that sees only the input, and a candidate that sees the squashed input.

        z = sigmoid(Wz x + bz)
        r = sigmoid(Wr x + Ur h + br)
        n = tanh(Un (r * h) + tanh(s) + bn)
        h = (1 - z) * h + z * n

    s is x if it has as many features as the cell has units, as in the paper, otherwise Ws x.
    Columns of W: update, reset; of U: reset, candidate; of the bias: update, reset, candidate.
    RecurrentLayers.jl adds bn within tanh(s), too. In the paper, MUT1 outperforms the GRU on most
    tasks, but not in language modelling.

    Reference: Jozefowicz, Zaremba and Sutskever, "An Empirical Exploration of Recurrent Network
    Architectures", ICML 2015.

    Args:
        units: size of the state.
        **kwargs: see `RecurrentCell`.
    """

    gates = ("update", "reset")
    recurrent_gates = ("reset", "candidate")
    biased_gates = ("update", "reset", "candidate")

    def input_bias(self):
        return None if self.bias is None else ops.convert_to_tensor(self.bias)[: 2 * self.units]

    def advance(self, x, states, recurrent_mask=None):
        (h,) = states
        m = masked(h, recurrent_mask)
        x, s = self.split_shortcut(x)
        Ur, Un = ops.split(self.recurrent_matrix(), 2, axis=1)
        z = self.recurrent_activation(x.update)
        r = self.recurrent_activation(x.reset + ops.matmul(m, Ur))
        n = ops.matmul(r * m, Un) + self.activation(s) + _last_bias(self)
        h = (1 - z) * h + z * self.activation(n)
        return h, [h]


@saving.register_keras_serializable(package="seqzoo")
class MUT2Cell(CellWithShortcut):
    """MUT2: a GRU whose reset gate sees the unprojected input.

        z = sigmoid(Wz x + Uz h + bz)
        r = sigmoid(s + Ur h + br)
        n = tanh(Wn x + Un (r * h) + bn)
        h = (1 - z) * h + z * n

    s is x if it has as many features as the cell has units, as in the paper, otherwise Ws x.
    Columns of W: update, candidate; of U: update, reset, candidate; of the bias: update, candidate,
    reset.

    Reference: Jozefowicz, Zaremba and Sutskever, "An Empirical Exploration of Recurrent Network
    Architectures", ICML 2015.

    Args:
        units: size of the state.
        **kwargs: see `RecurrentCell`.
    """

    gates = ("update", "candidate")
    recurrent_gates = ("update", "reset", "candidate")
    biased_gates = ("update", "candidate", "reset")

    def input_bias(self):
        return None if self.bias is None else ops.convert_to_tensor(self.bias)[: 2 * self.units]

    def advance(self, x, states, recurrent_mask=None):
        (h,) = states
        m = masked(h, recurrent_mask)
        x, s = self.split_shortcut(x)
        Uzr, Un = ops.split(self.recurrent_matrix(), [2 * self.units], axis=1)
        r_update, r_reset = ops.split(ops.matmul(m, Uzr), 2, axis=-1)
        z = self.recurrent_activation(x.update + r_update)
        r = self.recurrent_activation(s + r_reset + _last_bias(self))
        n = self.activation(x.candidate + ops.matmul(r * m, Un))
        h = (1 - z) * h + z * n
        return h, [h]


@saving.register_keras_serializable(package="seqzoo")
class MUT3Cell(CellWithGates):
    """MUT3: a GRU whose update gate sees the squashed state.

        z = sigmoid(Wz x + Uz tanh(h) + bz)
        r = sigmoid(Wr x + Ur h + br)
        n = tanh(Wn x + Un (r * h) + bn)
        h = (1 - z) * h + z * n

    Columns: update, reset, candidate.

    Reference: Jozefowicz, Zaremba and Sutskever, "An Empirical Exploration of Recurrent Network
    Architectures", ICML 2015.

    Args:
        units: size of the state.
        **kwargs: see `RecurrentCell`.
    """

    gates = ("update", "reset", "candidate")

    def advance(self, x, states, recurrent_mask=None):
        (h,) = states
        m = masked(h, recurrent_mask)
        x = self.split(x)
        Uz, Ur, Un = ops.split(self.recurrent_matrix(), 3, axis=1)
        squashed = masked(self.activation(h), recurrent_mask)
        z = self.recurrent_activation(x.update + ops.matmul(squashed, Uz))
        r = self.recurrent_activation(x.reset + ops.matmul(m, Ur))
        n = self.activation(x.candidate + ops.matmul(r * m, Un))
        h = (1 - z) * h + z * n
        return h, [h]


def _last_bias(cell: Any) -> Any:
    """The last third of the bias, which is not part of the projected input; 0 without biases."""
    return 0 if cell.bias is None else ops.convert_to_tensor(cell.bias)[2 * cell.units :]
