"""The liquid time-constant cell."""

from typing import Any

import keras
from keras import ops

from seqzoo.cells.base import RecurrentCell
from seqzoo.cells.gates import filled_with, masked
from seqzoo.cells.options import whole_number


@keras.saving.register_keras_serializable(package="seqzoo")
class LTCCell(RecurrentCell):
    """A differential equation, solved in fused steps, whose time constant depends on x and h.

        dh/dt = -(w + f) * h + f * A
        f = sigmoid(W x + U h + b)

    and within a time step, `solver_steps` times with d = t / solver_steps:

        h = (h + d * f * A) / (1 + d * (w + f))

    t is the time since the previous step, and w the softplus of one weight per unit, the paper's
    1 / tau. Initially w is one and A, one weight per unit, uniform from -1 to 1. f must be positive
    for the state to stay bounded: with `activation="sigmoid"` or "relu" it is, but with "tanh",
    which the paper uses in its bounds, f may become -w. ncps has a different cell of this name,
    with a sigmoid, a conductance and a reversal potential for each pair of units, and with wirings;
    this one is the paper's algorithm 1.

    For control and irregularly sampled series, with few units: the paper uses 32 units and 6 solver
    steps. A time step has one product per solver step; `cfc` has two.

    Reference: Hasani, Lechner, Amini, Rus and Grosu, "Liquid Time-constant Networks", AAAI 2021,
    equations 1 to 3 and algorithm 1.

    Args:
        units: size of the state.
        solver_steps: number of fused solver steps per time step, at least 1.
        activation: nonlinearity of f, whose values should be positive.
        **kwargs: see `RecurrentCell`.

    Raises:
        ValueError: `solver_steps` is below 1.
    """

    gates = ("f",)
    takes_time = True

    def __init__(
        self, units: int, *, solver_steps: int = 6, activation: Any = "sigmoid", **kwargs: Any
    ):
        solver_steps = whole_number("solver_steps", solver_steps)
        super().__init__(units, activation=activation, **kwargs)
        self.solver_steps = solver_steps

    def build(self, input_shape):
        super().build(input_shape)
        one = filled_with(0.5413248546129181)  # softplus of this is 1
        self.rate = self.add_weight(shape=(self.units,), name="rate", initializer=one)
        uniform = keras.initializers.RandomUniform(-1, 1, seed=self.seed)
        self.target = self.add_weight(shape=(self.units,), name="target", initializer=uniform)

    def project(self, inputs):
        """W x + b, and the elapsed time as the last column."""
        return ops.concatenate([super().project(inputs[..., :-1]), inputs[..., -1:]], axis=-1)

    def advance(self, x, states, recurrent_mask=None):
        (h,) = states
        z, d = x[..., :-1], x[..., -1:] / self.solver_steps
        w = ops.softplus(ops.convert_to_tensor(self.rate))
        target = ops.convert_to_tensor(self.target)
        for _ in range(self.solver_steps):
            f = self.activation(z + self.recur(masked(h, recurrent_mask)))
            h = (h + d * f * target) / (1 + d * (w + f))
        return h, [h]

    def get_config(self) -> dict:
        return {**super().get_config(), "solver_steps": self.solver_steps}
