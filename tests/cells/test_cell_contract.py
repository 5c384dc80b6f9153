"""Every cell satisfies the contract, and `run_cell_test` names the part that a cell breaks."""

from typing import Any

import keras
import pytest
from cell_names import each_cell
from custom_cells import CUSTOM
from keras import ops

from seqzoo.cells import CELLS, RecurrentCell
from seqzoo.cells.testing import run_cell_test

QUICK = ("lstm", "cornn")
"""With a hand-written gradient, and with `advance`; a cell with only `step` is in docs/cells.md."""


@pytest.mark.parametrize("name", each_cell(QUICK))
def test_every_cell_fulfils_the_contract(name):
    # Redrawn for each step, in another order than by Keras' layer; test_wrappers.py covers it.
    still: dict[str, Any] = {"rate": 0.0, "memory_rate": 0.0} if name == "zoneout" else {}
    run_cell_test(CELLS[name], **still)


@pytest.mark.slow
@pytest.mark.parametrize("kind", CUSTOM)
def test_a_custom_cell_fulfils_the_contract(kind):
    run_cell_test(kind, input_shape=(3,))


@keras.saving.register_keras_serializable(package="tests")
class Sound(RecurrentCell):
    """A cell that satisfies the contract, and from which broken ones are made."""

    gates = ("gate", "candidate")

    def __init__(self, units, *, factor=0.5, **options):
        super().__init__(units, **options)
        self.factor = factor

    @property
    def state_size(self):
        return [self.units, self.units]

    def step(self, x, r, states):
        h, trace = states
        trace = self.factor * trace + ops.sigmoid(x.gate + r.gate) * h
        h = self.activation(trace + x.candidate + r.candidate)
        return h, [h, trace]

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


@keras.saving.register_keras_serializable(package="tests")
class Forgetful(Sound):
    def get_config(self):
        return {name: value for name, value in super().get_config().items() if name != "factor"}


class Unregistered(Sound):
    pass


@keras.saving.register_keras_serializable(package="tests")
class Narrow(Sound):
    @property
    def output_size(self):
        return 2


@keras.saving.register_keras_serializable(package="tests")
class OneStateShort(Sound):
    def step(self, x, r, states):
        h, new = super().step(x, r, states)
        return h, new[:1]


@keras.saving.register_keras_serializable(package="tests")
class Undropped(Sound):
    def advance(self, x, states, recurrent_mask=None):
        return super().advance(x, states)


@keras.saving.register_keras_serializable(package="tests")
class Attribute(Sound):
    """A cell whose counter is not a state: two parts of a sequence differ from the whole."""

    def step(self, x, r, states):
        self.steps = getattr(self, "steps", 0) + 1
        h, (_, trace) = super().step(x, r, states)
        h = h / self.steps
        return h, [h, trace]


@keras.saving.register_keras_serializable(package="tests")
class WrongGradient(Sound):
    @property
    def has_step_gradient(self):
        return True

    def step_with_values(self, x, r, states):
        h, new = self.step(x, r, states)
        return h, new, (ops.sigmoid(x.gate + r.gate), h, states[0])

    def step_gradient(self, values, d_states):
        (g, h, before), (dh, d_trace) = values, d_states
        d = dh * (1 - h * h)
        d_trace = d_trace + d
        return [d_trace * before * g, d], None, [d_trace * g, self.factor * d_trace]

    def step(self, x, r, states):  # the gradient counts as this step's
        return super().step(x, r, states)


@keras.saving.register_keras_serializable(package="tests")
class MixingUnits(Sound):
    """Its step acts on all units at once, which the fast loop has on the first axis."""

    def step(self, x, r, states):
        h, (_, trace) = super().step(x, r, states)
        h = h - ops.mean(h, axis=-1, keepdims=True)
        return h, [h, trace]


@keras.saving.register_keras_serializable(package="tests")
class WrongValues(WrongGradient):
    def step_with_values(self, x, r, states):
        h, (_, trace), values = super().step_with_values(x, r, states)
        h = h + 0.1
        return h, [h, trace], values


@keras.saving.register_keras_serializable(package="tests")
class Double(Sound):
    def step(self, x, r, states):
        h, new = super().step(x, r, states)
        return 2 * h, new


@pytest.mark.parametrize(
    "kind, message",
    [
        (Forgetful, "`get_config` lacks factor"),
        (Unregistered, "class must be registered"),
        (Narrow, r"the output must be float64 of shape \(3, 2\), got .*\(3, 5\)"),
        (OneStateShort, "the number of states must be 2, as in `state_size`, got 1"),
        (Undropped, "`recurrent_dropout` has no effect in training"),
        (Attribute, "outputs at inference with and without `dropout` must be the same"),
        (WrongGradient, "gradients of the input on the fast and the plain path must be the same"),
        (WrongValues, "results of the fast loops and of the plain one must be the same"),
    ],
)
def test_violations_of_the_contract_are_named(kind, message):
    with pytest.raises(AssertionError, match=f"^{kind.__name__}: .*{message}"):
        run_cell_test(kind)


@keras.saving.register_keras_serializable(package="tests")
class Reordered(Sound):
    recurrent_gates = ("candidate", "gate")


def test_recurrent_gates_may_be_in_another_order():
    run_cell_test(Reordered)


def test_a_step_need_not_be_elementwise():
    run_cell_test(MixingUnits)


def test_an_output_that_is_not_a_state_is_refused_by_the_loops():
    with pytest.raises(TypeError, match="same tensor as its output and as its first state"):
        run_cell_test(Double)
