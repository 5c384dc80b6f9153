"""JANET: just another network, a long short-term memory with a forget gate only."""

from typing import Any

import keras
from keras import ops

from seqzoo.cells.activation_gradients import derivative, have_derivatives
from seqzoo.cells.gates import CellWithGates
from seqzoo.cells.options import whole_number


@keras.saving.register_keras_serializable(package="seqzoo")
class JANETCell(CellWithGates):
    """An LSTM with only a forget gate, which adds a little more than it forgets.

        s = Wf x + Uf h + bf
        n = tanh(Wn x + Un h + bn)
        h = sigmoid(s) * h + (1 - sigmoid(s - beta)) * n

    The state is h, which the paper also calls c. Columns: forget, candidate.

    For long memories with few weights: the paper's results on pixel-by-pixel digits, copying and
    adding come from `beta=1` and forget biases drawn according to the longest dependency (chrono
    initialisation: bf = log(u), u uniform between 1 and that length minus 1; for the digits, it is
    784).

    Reference: van der Westhuizen and Lasenby, "The Unreasonable Effectiveness of the Forget Gate",
    arXiv 1804.04849, 2018, section 3; chrono initialisation: Tallec and Ollivier, "Can Recurrent
    Neural Networks Warp Time?", ICLR 2018.

    Args:
        units: size of the state.
        beta: shift of the input gate relative to the forget gate; above 0, a step adds more than it
            forgets.
        longest_dependency: number of steps that the memory should span, at least 3, which
            determines the initial bf as above; None to start bf at one.
        **kwargs: see `RecurrentCell`.

    Raises:
        ValueError: `longest_dependency` is below 3.
    """

    gates = ("forget", "candidate")

    def __init__(
        self,
        units: int,
        *,
        beta: float = 1.0,
        longest_dependency: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(units, **kwargs)
        self.beta = beta
        self.longest_dependency = whole_number(
            "longest_dependency", longest_dependency, 3, optional=True
        )

    def initial_bias(self, shape, dtype=None):
        bias = super().initial_bias(shape, dtype)
        if self.longest_dependency is None:
            return self.with_gate_bias(bias, "forget", 1)
        uniform = keras.initializers.RandomUniform(1, self.longest_dependency - 1, seed=self.seed)
        forget_bias = ops.log(uniform((self.units,), dtype="float32"))
        return self.with_gate_bias(bias, "forget", ops.cast(forget_bias, bias.dtype))

    def step(self, x, r, states):
        h, new, _ = self.step_with_values(x, r, states)
        return h, new

    @property
    def has_step_gradient(self):
        return have_derivatives(self.activation, self.recurrent_activation)

    def step_with_values(self, x, r, states):
        (h,) = states
        s = x.forget + r.forget
        f = self.recurrent_activation(s)
        shifted = self.recurrent_activation(s - self.beta)
        n = self.activation(x.candidate + r.candidate)
        new = f * h + (1 - shifted) * n
        return new, [new], (f, shifted, n, h)

    def step_gradient(self, values, d_states):
        (f, shifted, n, h), (dh,) = values, d_states
        d_retain = dh * h * derivative(self.recurrent_activation, f)
        d_forget = d_retain - dh * n * derivative(self.recurrent_activation, shifted)
        d_candidate = dh * (1 - shifted) * derivative(self.activation, n)
        return [d_forget, d_candidate], None, [dh * f]

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "beta": self.beta,
            "longest_dependency": self.longest_dependency,
        }
