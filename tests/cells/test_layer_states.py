"""States that last from batch to batch, and resetting them."""

import keras
import numpy as np
import pytest
from cell_cases import (
    BATCH,
    FEATURES,
    MASKS,
    TIME,
    UNITS,
    Case,
    X,
    core_cell,
    error,
    recurrent,
    shared,
)

from seqzoo.cells import Bidirectional, GRUCell, LSTMCell, Recurrent, VanillaCell, create

LSTM = Case("lstm", {})
FIRST, SECOND = X[:, :3], X[:, 3:]


def states_of(layer):
    return [np.array(variable) for variable in keras.tree.flatten(layer.states)]


@pytest.mark.quick_for("fast-lstm", "fast-gated", "plain-lstm", "plain-vanilla", rest="exhaustive")
@core_cell
@pytest.mark.parametrize("fast", [True, False], ids=["fast", "plain"])
def test_two_halves_are_the_whole(case, fast):
    cell = shared(case)
    whole = recurrent(cell, fast=fast, return_sequences=True)(X, mask=MASKS["gaps"])
    layer = recurrent(cell, fast=fast, return_sequences=True, stateful=True)
    mask = MASKS["gaps"]
    layer(FIRST, mask=mask[:, :3])
    halved = layer(SECOND, mask=mask[:, 3:])
    # Where a half begins with masked steps there is no output of its own to repeat.
    counts = mask[:, 3:].cumsum(1) > 0
    assert error(halved * counts[..., None], whole[:, 3:] * counts[..., None]) < 1e-12
    assert error(states_of(layer)[0], whole[:, -1]) < 1e-12


@core_cell
def test_reset_begins_again(case):
    layer = recurrent(shared(case), stateful=True)
    first = layer(FIRST)
    assert error(layer(FIRST), first) > 0.01
    layer.reset_state()
    assert all((state == 0).all() for state in states_of(layer))
    assert error(layer(FIRST), first) < 1e-12


@pytest.mark.parametrize("rows", [[0, 2], np.array([2, 0]), iter([0, 2])])
def test_reset_of_chosen_rows(rows):
    layer = recurrent(shared(LSTM), stateful=True)
    layer(FIRST)
    before = states_of(layer)
    layer.reset_state(rows)
    for state, old in zip(states_of(layer), before, strict=True):
        assert (state[[0, 2]] == 0).all()
        np.testing.assert_array_equal(state[1], old[1])
        assert (old != 0).all()
    layer.reset_state([])
    assert (states_of(layer)[0][1] == before[0][1]).all()


@pytest.mark.parametrize(
    "rows", [[BATCH], [-1], [0, 7], [True, False], np.array([True, False, True]), [0.5], [1.0]]
)
def test_rows_that_are_none_of_the_batch_are_refused(rows):
    layer = recurrent(shared(LSTM), stateful=True)
    layer(FIRST)
    before = states_of(layer)
    with pytest.raises(ValueError, match=r"`rows` must be whole numbers from 0 to 2, got \["):
        layer.reset_state(rows)
    np.testing.assert_array_equal(states_of(layer), before)


def test_reset_before_the_first_batch_does_nothing():
    layer = Recurrent(LSTMCell(UNITS), stateful=True)
    layer.reset_state()
    layer.reset_state([0])
    assert layer.states is None


def test_a_stack_of_cells_is_reset():
    layer = Recurrent([VanillaCell(UNITS), LSTMCell(UNITS)], stateful=True)
    layer(X)
    assert len(states_of(layer)) == 3
    layer.reset_state([1])
    assert all((s[1] == 0).all() and (s[[0, 2]] != 0).all() for s in states_of(layer))
    layer.reset_state()
    assert all((s == 0).all() for s in states_of(layer))


def test_both_directions_are_reset():
    layer = Bidirectional(GRUCell(UNITS), stateful=True)
    layer(X)
    both = (layer.forward_layer, layer.backward_layer)
    layer.reset_state([0])
    for direction in both:
        (state,) = states_of(direction)
        assert (state[0] == 0).all()
        assert (state[1:] != 0).all()
    layer.reset_state()
    assert all((states_of(direction)[0] == 0).all() for direction in both)


def test_a_stateful_model_predicts_on():
    model = keras.Sequential(
        [
            keras.Input(batch_shape=(BATCH, None, FEATURES)),
            Recurrent(LSTMCell(UNITS), stateful=True),
        ]
    )
    whole = Recurrent(model.layers[0].cell)(X)
    model.predict(FIRST, batch_size=BATCH, verbose=0)
    assert error(model.predict(SECOND, batch_size=BATCH, verbose=0), whole) < 1e-5
    assert X.shape[1] == TIME


def test_rows_of_frames_are_reset():
    layer = Recurrent(create("conv-gru", 2), stateful=True)
    layer(np.random.default_rng(0).normal(size=(3, 2, 4, 3, 1)))
    layer.reset_state([0])
    (state,) = states_of(layer)
    assert (state[0] == 0).all()
    assert (state[1:] != 0).all()


def test_rows_that_are_no_longer_finite_are_reset():
    layer = Recurrent(GRUCell(UNITS), stateful=True)
    layer(np.where(np.arange(BATCH)[:, None, None] == 1, np.nan, X))
    assert np.isnan(states_of(layer)[0][1]).all()
    layer.reset_state([1])
    assert (states_of(layer)[0][1] == 0).all()


@pytest.mark.parametrize("rows", [None, [0, 2]])
def test_reset_begins_with_the_initial_states_of_the_cell(rows):
    layer = Recurrent(create("gru-d", UNITS, mean=5.0), stateful=True)
    values = np.concatenate([X, X > 0], -1).astype("float32"), np.ones(X.shape[:2], "float32")
    first = layer(values)
    layer.reset_state(rows)
    chosen = rows or list(range(BATCH))
    assert error(layer(values)[chosen[0]], first[chosen[0]]) < 1e-6
