"""The list of all cells and their variants, which drives every test of cells and layers."""

from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf
from oracles import ORACLES, VARIANTS

import seqzoo.cells as cells
from seqzoo.cells.base import as_list, shape_of

# All different, so that no axis can be mistaken for another.
BATCH, TIME, FEATURES, UNITS = 3, 7, 4, 5
FRAME = (2, 6)


class Case(NamedTuple):
    """A cell's name in `CELLS`, and options for which its equations differ."""

    name: str
    options: dict[str, Any]

    def __str__(self) -> str:
        return "-".join([self.name, *(f"{k}={v}" for k, v in self.options.items())])

    def dropouts(self, dropout: float, recurrent_dropout: float) -> dict[str, float]:
        """Both rates as options, without the second if the cell has no recurrent product."""
        rates = {"dropout": dropout, "recurrent_dropout": recurrent_dropout}
        if not shared(self).has_recurrent_product:
            del rates["recurrent_dropout"]
        return rates

    def make(self, dtype: str = "float64", **options: Any) -> cells.RecurrentCell:
        """The cell, built, with random weights and biases."""
        cell = cells.create(self.name, UNITS, dtype=dtype, **self.options, **options)
        cell.build(step_shape(cell))
        rng = np.random.default_rng(0)
        cell.set_weights([rng.normal(0, 0.6, w.shape) for w in cell.get_weights()])
        return cell

    def step(self, cell: cells.RecurrentCell, dropped: Any = 1.0) -> Any:
        """(x, states) -> new states, in NumPy, with the weights of `cell`."""
        weights: dict[str, Any] = {}
        weights |= {weight.name: np.array(weight) for weight in cell.trainable_variables}
        weights |= {weight.name: np.array(weight) for weight in cell.non_trainable_variables}
        weights["cells"] = [
            {weight.name: np.array(weight) for weight in inner.trainable_variables}
            for inner in getattr(cell, "cells", [])
        ]
        equation = ORACLES[self.name]
        return lambda x, states: equation(x, states, weights, dropped, **self.options)


def step_shape(cell: Any) -> tuple:
    """The shape of one step's inputs, with the elapsed time if the cell takes it."""
    return (None, *FRAME[: cell.input_rank - 2], FEATURES + cell.takes_time)


def sequences(cell: Any) -> np.ndarray:
    """Inputs (batch, time, features), or frames if the cell takes them."""
    return X if cell.input_rank == 2 else FRAMES


def inputs(cell: Any, x: Any = None) -> Any:
    """The arguments of a layer of the cell: x, with the elapsed time if the cell takes it."""
    x = sequences(cell) if x is None else x
    return (x, ELAPSED[: len(x), : x.shape[1]]) if cell.takes_time else x


def elapsed(cell: Any, x: Any = None) -> Any:
    """The elapsed time for `oracles.run`, or None if the cell does not take it."""
    return inputs(cell, x)[1] if cell.takes_time else None


CORE = ("vanilla", "gated", "lstm", "gru")
"""The cells on which every test runs; for the others only the contract is tested."""

CASES = [Case(name, options) for name in cells.CELLS for options in VARIANTS[name]]
CORE_CASES = [case for case in CASES if case.name in CORE]
DEFAULTS = [case for case in CORE_CASES if not case.options]
GRU_BEFORE = next(case for case in CORE_CASES if case.options == {"reset_after": False})

every_case = pytest.mark.parametrize("case", CASES, ids=str)
core_case = pytest.mark.parametrize("case", CORE_CASES, ids=str)
core_cell = pytest.mark.parametrize("case", [*DEFAULTS, GRU_BEFORE], ids=str)


def _masks() -> dict[str, Any]:
    lengths = np.array([4, 7, 2])[:, None]
    steps = np.arange(TIME)
    gaps = np.array([[0, 1, 1, 0, 0, 1, 0], [1, 0, 1, 1, 1, 0, 1], [1, 1, 0, 0, 1, 1, 1]], bool)
    return {
        "none": None,
        "full": np.ones((BATCH, TIME), bool),
        "right": steps < lengths,
        "left": steps >= TIME - lengths,
        "gaps": gaps,
        "empty row": (steps < lengths) & np.array([[1], [0], [1]], bool),
    }


MASKS = _masks()

_rng = np.random.default_rng(1)
X = _rng.normal(0, 1, (BATCH, TIME, FEATURES))
FRAMES = np.random.default_rng(12).normal(0, 1, (BATCH, TIME, *FRAME, FEATURES))
ELAPSED = np.random.default_rng(11).uniform(0, 3, (BATCH, TIME))

_cells: dict[tuple, cells.RecurrentCell] = {}


def shared(case: Case, dtype: str = "float64", **options: Any) -> cells.RecurrentCell:
    """The case's cell, shared by tests with the same arguments, so its loops are compiled once."""
    key = (str(case), dtype, *options.items())
    if key not in _cells:
        _cells[key] = case.make(dtype, **options)
    return _cells[key]


def forget() -> None:
    """Drops the cells that the tests share."""
    _cells.clear()


def recurrent(cell: Any, **options: Any) -> cells.Recurrent:
    """A `Recurrent` layer with the cell's dtype policy."""
    return cells.Recurrent(cell, dtype=cell.dtype_policy, **options)


def initial_states(cell: Any, batch: int = BATCH) -> list[np.ndarray]:
    """Random initial states, as the cell may have them: sLSTM's normaliser is positive."""
    rng = np.random.default_rng(2)
    sizes = [shape_of(size) for size in as_list(cell.state_size)]
    drawn = [keras.ops.convert_to_tensor(rng.normal(0, 0.7, (batch, *size))) for size in sizes]
    return [np.array(state) for state in cell.valid_states(drawn)]


def error(actual: Any, expected: Any) -> float:
    """The norm of the difference, divided by the norm of the expected values."""
    actual = np.asarray(keras.ops.convert_to_numpy(actual), np.float64)
    expected = np.asarray(keras.ops.convert_to_numpy(expected), np.float64)
    assert actual.shape == expected.shape, f"shape {actual.shape}, expected {expected.shape}"
    scale = np.linalg.norm(expected)
    return float(np.linalg.norm(actual - expected) / (scale if scale else 1))


def loss_of(results):
    """A weighted sum of all results, in which no two entries have the same weight."""
    rng = np.random.default_rng(4)
    return tf.add_n([tf.reduce_sum(r * rng.normal(size=r.shape)) for r in results])


def results_and_gradients(layer, x, states, mask=None, training=True, seed=7):
    """The layer's outputs, and the gradients of x, the initial states and all weights."""
    layer.cell.seed_generator.state.assign([0, seed])
    x, states = tf.nest.map_structure(tf.convert_to_tensor, (inputs(layer.cell, x), states))
    with tf.GradientTape() as tape:
        tape.watch([x, states])
        results = layer(x, initial_state=states, mask=mask, training=training)
        results = list(results) if isinstance(results, (list, tuple)) else [results]
        loss = loss_of(results)
    weights = [variable.value for variable in layer.trainable_variables]
    return results, tape.gradient(loss, [*tf.nest.flatten(x), *states, *weights])


def assert_equal(actual, expected):
    """Checks that results and gradients are equal, and that the same gradients are None."""
    for ours, theirs in zip(actual, expected, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            assert (a is None) == (b is None)
            if b is not None:
                assert error(a, b) < 1e-9
