"""Wrappers of wrappers are saved, loaded and copied."""

import copy

import keras
import numpy as np
import pytest
from cell_cases import FEATURES, UNITS, X, error

from seqzoo.cells import CELLS, Bidirectional, Recurrent, create
from seqzoo.cells.wrappers.wrapper import WrapperCell

WRAPPERS = [name for name, kind in CELLS.items() if issubclass(kind, WrapperCell)]
COPIES = {"stacked": {"layers": 4}, "fast-slow": {"fast_cells": 4, "slow_units": 3}}
"""Options of wrappers that make several copies of their inner cell."""

X32 = X.astype("float32")[:, :2]


def model_of(layer):
    inputs = keras.Input((None, FEATURES))
    model = keras.Model(inputs, layer(inputs))
    rng = np.random.default_rng(0)
    for weight in model.trainable_variables:
        weight.assign(rng.normal(0, 0.5, weight.shape))
    return model


def loaded(model, folder):
    model.save(folder / "model.keras")
    return keras.saving.load_model(folder / "model.keras")


def same_weights(model, again):
    again.set_weights(model.get_weights())
    return again


def assert_same(model, again):
    assert [w.shape for w in again.weights] == [w.shape for w in model.weights]
    np.testing.assert_array_equal(again(X32), model(X32))


@pytest.mark.quick_for("layer-norm-stacked", "layer-norm-fast-slow")
@pytest.mark.parametrize("outer", WRAPPERS)
@pytest.mark.parametrize("inner", WRAPPERS)
def test_a_wrapper_of_a_wrapper_is_saved(inner, outer, tmp_path):
    try:
        cell = create(inner, UNITS, **COPIES.get(inner, {}))
        cell = create(outer, UNITS, cell=cell, **COPIES.get(outer, {}))
    except ValueError as error:
        assert " needs " in str(error) or "cannot be combined" in str(error)
        return
    model = model_of(Recurrent(cell, fast=False))
    assert_same(model, loaded(model, tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("name", COPIES)
def test_copies_of_a_wrapper_fit_their_inputs_in_every_copy_of_a_model(name, tmp_path):
    cell = create(name, UNITS, cell="layer-norm", **COPIES[name])
    model = model_of(Recurrent(cell, fast=False))
    assert_same(model, copy.deepcopy(model))
    assert_same(model, same_weights(model, keras.models.clone_model(model)))
    assert_same(model, same_weights(model, keras.Model.from_config(model.get_config())))


@pytest.mark.slow
def test_three_wrappers_are_saved_in_both_directions(tmp_path):
    cell = create("stacked", UNITS, cell=create("residual", UNITS, cell="layer-norm"))
    model = model_of(Bidirectional(create("residual", UNITS, cell=cell), return_sequences=True))
    assert error(loaded(model, tmp_path)(X32), model(X32)) < 1e-6


def test_an_activation_with_weights_has_the_size_of_the_slow_cell():
    inner = create("layer-norm", UNITS, cell_options={"activation": keras.layers.PReLU()})
    inner.build((None, FEATURES))
    cell = create("fast-slow", UNITS, cell=inner, slow_units=3)
    cell.build((None, FEATURES))
    assert cell.cells[-1].cell.activation.alpha.shape == (3,)
