"""Cells as a user would write them, one for each way in which a cell may differ from seqzoo's."""

# As strictly as by default, so that the cells of users have no errors either.
# pyright: standard

import keras
import numpy as np
from cell_cases import FEATURES, UNITS
from keras import ops

import seqzoo.cells as cells


@keras.saving.register_keras_serializable(package="tests")
class StepOnly(cells.RecurrentCell):
    """Only a step, with two states and a function that has no name in Keras."""

    gates = ("gate", "candidate")

    @property
    def state_size(self):
        return [self.units, self.units]

    def step(self, x, r, states):
        h, trace = states
        g = ops.sin(x.gate + r.gate)
        trace = 0.5 * trace + g * h
        h = ops.tanh(trace) * self.activation(x.candidate + r.candidate)
        return h, [h, trace]


@keras.saving.register_keras_serializable(package="tests")
class Separate(cells.RecurrentCell):
    """A gate in the middle whose input and recurrent parts are not added."""

    gates = ("first", "apart", "last")
    separate = ("apart",)

    def step(self, x, r, states):
        (h,) = states
        mixed = self.activation(x.apart * ops.sigmoid(r.apart) + r.apart)
        h = h * ops.sigmoid(x.first + r.first) + mixed * ops.tanh(x.last + r.last)
        return h, [h]


@keras.saving.register_keras_serializable(package="tests")
class Projecting(cells.RecurrentCell):
    """A cell with its own projection and an additional weight."""

    gates = ("candidate",)

    def build(self, input_shape):
        super().build(input_shape)
        self.scale = self.add_weight(shape=(self.units,), name="scale", initializer="ones")

    def project(self, inputs):
        return ops.tanh(super().project(inputs)) * self.scale

    def step(self, x, r, states):
        h = self.activation(x.candidate + r.candidate)
        return h, [h]


@keras.saving.register_keras_serializable(package="tests")
class Multiplicative(cells.RecurrentCell):
    """A recurrence in two stages, with an additional weight, which runs in the general loops."""

    gates = ("gate", "candidate")

    def build(self, input_shape):
        super().build(input_shape)
        self.inner = self.add_weight(shape=(self.units, self.units), name="inner")

    def advance(self, x, states, recurrent_mask=None):
        (h,) = states
        m = h if recurrent_mask is None else h * recurrent_mask
        x, r = self.split(x), self.split(self.recur(ops.tanh(ops.matmul(m, self.inner)) + m))
        g = ops.sigmoid(x.gate + r.gate)
        h = (1 - g) * h + g * self.activation(x.candidate * r.candidate)
        return h, [h]


@keras.saving.register_keras_serializable(package="tests")
class Normalised(cells.RecurrentCell):
    """A cell with its own recurrent product: the general loops around a plain `step`."""

    gates = ("candidate",)

    def recur(self, h):
        return super().recur(h / (1 + ops.sqrt(ops.sum(h * h, axis=-1, keepdims=True))))

    def step(self, x, r, states):
        h = self.activation(x.candidate + r.candidate)
        return h, [h]


@keras.saving.register_keras_serializable(package="tests")
class Peephole(cells.RecurrentCell):
    """A `step` with an additional weight, which runs in the general loops."""

    gates = ("gate", "candidate")

    def build(self, input_shape):
        super().build(input_shape)
        self.peephole = self.add_weight(shape=(self.units,), name="peephole")

    def step(self, x, r, states):
        (h,) = states
        g = ops.sigmoid(x.gate + r.gate + self.peephole * h)
        h = (1 - g) * h + g * self.activation(x.candidate + r.candidate)
        return h, [h]


@keras.saving.register_keras_serializable(package="tests")
class Weighted(cells.RecurrentCell):
    """A `step` with a weight per unit, which is its fourth argument."""

    gates = ("candidate",)
    unit_weights = ("decay",)

    def step(self, x, r, states, weights):
        (h,) = states
        h = weights.decay * h + self.activation(x.candidate + r.candidate)
        return h, [h]


@keras.saving.register_keras_serializable(package="tests")
class DecayingLSTM(cells.LSTMCell):
    """A seqzoo cell whose `step` is overridden, but not its gradient."""

    def step(self, x, r, states):
        h, (_, c) = super().step(x, r, states)
        h = 0.8 * h
        return h, [h, c]


@keras.saving.register_keras_serializable(package="tests")
class DecayingGRU(cells.GRUCell):
    """A seqzoo cell whose `advance` is overridden."""

    def advance(self, x, states, recurrent_mask=None):
        h, _ = super().advance(x, states, recurrent_mask)
        h = 0.8 * h
        return h, [h]


@keras.saving.register_keras_serializable(package="tests")
class Leaky(cells.RecurrentCell):
    """A `step` with a constant that has one number per unit."""

    gates = ("candidate",)

    def step(self, x, r, states):
        (h,) = states
        kept = np.linspace(0.1, 0.9, self.units)
        h = kept * h + (1 - kept) * self.activation(x.candidate + r.candidate)
        return h, [h]


@keras.saving.register_keras_serializable(package="tests")
class Averaging(cells.RecurrentCell):
    """The mean over all steps, with their number as a state of size 1."""

    gates = ("candidate",)

    @property
    def state_size(self):
        return [self.units, 1]

    def step(self, x, r, states):
        h, count = states
        h = (h * count + self.activation(x.candidate + r.candidate)) / (count + 1)
        return h, [h, count + 1]


@keras.saving.register_keras_serializable(package="tests")
class TwoStepsBack(cells.RecurrentCell):
    """A state with the last two candidates, which has twice as many units as the first."""

    gates = ("candidate",)

    @property
    def state_size(self):
        return [self.units, 2 * self.units]

    def step(self, x, r, states):
        _, before = states
        last, earlier = ops.split(before, 2, axis=-1)
        h = self.activation(x.candidate + r.candidate + 0.5 * earlier)
        return h, [h, ops.concatenate([h, last], axis=-1)]


CUSTOM = [
    StepOnly,
    Separate,
    Projecting,
    Multiplicative,
    Normalised,
    Peephole,
    DecayingLSTM,
    DecayingGRU,
    Weighted,
    Leaky,
    Averaging,
    TwoStepsBack,
]


def make(kind: type, dtype: str = "float64", **options) -> cells.RecurrentCell:
    """The cell, built, with random weights and biases."""
    cell = kind(UNITS, dtype=dtype, **options)
    cell.build((None, FEATURES))
    rng = np.random.default_rng(3)
    cell.set_weights([rng.normal(0, 0.6, w.shape) for w in cell.get_weights()])
    return cell
