"""The scalar LSTM of xLSTM, with exponential gates."""

from typing import Any

import keras
from keras import ops

from seqzoo.cells.base import RecurrentCell


@keras.saving.register_keras_serializable(package="seqzoo")
class SLSTMCell(RecurrentCell):
    """Exponential gates, a normaliser n, and a state m that keeps the exponents in range.

        z = tanh(Wz x + Uz h + bz)
        i = Wi x + Ui h + bi
        f = log sigmoid(Wf x + Uf h + bf)        or without log sigmoid: forget="exp"
        o = sigmoid(Wo x + Uo h + bo)
        m' = max(f + m, i)
        c = exp(f + m - m') * c + exp(i - m') * z
        n = exp(f + m - m') * n + exp(i - m')
        h = o * c / n

    States are [h, c, n, m], and m becomes m'. Columns: candidate, input, forget, output. The rest
    of the paper's block (normalisation, projections, heads) is not part of the cell.

    Reference: Beck et al., "xLSTM: Extended Long Short-Term Memory", NeurIPS 2024, equations 8 to
    17.

    Args:
        units: size of each state.
        forget: "sigmoid" or "exp", the forget gate's activation.
        **kwargs: see `RecurrentCell`.

    Raises:
        ValueError: `forget` is not one of the two.
    """

    gates = ("candidate", "input", "forget", "output")
    joint_states = ((1, 2, 3),)

    def __init__(self, units: int, *, forget: str = "sigmoid", **kwargs: Any):
        if forget not in ("sigmoid", "exp"):
            raise ValueError(f"`forget` must be 'sigmoid' or 'exp', got {forget!r}.")
        super().__init__(units, **kwargs)
        self.forget = forget

    @property
    def state_size(self):
        return [self.units] * 4

    def step(self, x, r, states):
        _, c, n, m = states
        z = self.activation(x.candidate + r.candidate)
        i = x.input + r.input
        f = x.forget + r.forget
        if self.forget == "sigmoid":
            f = -ops.softplus(-f)
        o = ops.sigmoid(x.output + r.output)
        # Before the first step n is 0, and m is of no account: n must not underflow then.
        first = ops.equal(n, 0)
        new_m = ops.where(first, i, ops.maximum(f + m, i))
        stable_f = ops.exp(ops.where(first, ops.zeros_like(f), f + m - new_m))
        stable_i = ops.exp(i - new_m)
        c = stable_f * c + stable_i * z
        n = stable_f * n + stable_i
        h = o * c / n
        return h, [h, c, n, new_m]

    def valid_states(self, states):
        """n is positive, and c at most as large."""
        h, c, n, m = states
        n = ops.softplus(n)
        return [h, n * ops.tanh(c), n, m]

    def get_config(self) -> dict:
        return {**super().get_config(), "forget": self.forget}
