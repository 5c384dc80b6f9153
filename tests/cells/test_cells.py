"""Cells as Keras layers: mistakes in their options, configuration, dropout, and `create`."""

import doctest
import importlib
import inspect
import pkgutil
from typing import Any, get_args

import keras
import numpy as np
import pytest
import tensorflow as tf
from cell_cases import FEATURES, UNITS, X, core_cell, error, every_case, recurrent, shared

import seqzoo.cells as cells
from seqzoo.cells import CELLS, GatedCell, Recurrent, RecurrentCell, VanillaCell, create
from seqzoo.cells.options import _hints


@pytest.mark.parametrize("name", CELLS)
def test_units_must_be_a_whole_number(name):
    wrong: list[Any] = [0, -1, True, 2.5, "8", None]
    for units in wrong:
        with pytest.raises(ValueError, match=r"`units` must be a positive integer, got"):
            create(name, units)


@pytest.mark.parametrize("name", CELLS)
def test_whole_numbers_may_be_those_of_numpy(name):
    hints = _hints(CELLS[name])
    options = {key: np.int64(3) for key in hints if int in (get_args(hints[key]) or (hints[key],))}
    units: Any = np.int64(UNITS)
    config = create(name, units, **options).get_config()
    assert type(config["units"]) is int and config["units"] == UNITS
    for option in options:
        value = config[option]
        sides = value if isinstance(value, list) else [value]
        assert {type(side) for side in sides} == {int} and set(sides) == {3}


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("option", ["dropout", "recurrent_dropout"])
def test_dropout_must_be_a_rate(name, option):
    for rate in (1, 1.0, -0.1):
        expected = rf"`{option}` must be at least 0 and below 1, got {rate}"
        with pytest.raises(ValueError, match=expected):
            create(name, UNITS, **{option: rate})


@pytest.mark.parametrize("name", CELLS)
def test_unknown_options_and_activations_are_refused(name):
    with pytest.raises(ValueError, match="tahn"):
        create(name, UNITS, activation="tahn")
    with pytest.raises((TypeError, ValueError), match="dropuot"):
        create(name, UNITS, dropuot=0.1)


WRONG = {
    bool: ["yes", 1, None],
    int: [1.5, True, "3"],
    float: ["x", float("nan"), float("inf"), True],
}
"""Values that are not of the type of an option's default."""


@pytest.mark.parametrize("name", CELLS)
def test_options_of_a_wrong_type_are_refused_in_one_line(name):
    options = {
        option: parameter.default
        for kind in reversed(CELLS[name].__mro__)
        for option, parameter in inspect.signature(kind.__init__).parameters.items()
        if type(parameter.default) in WRONG and issubclass(kind, RecurrentCell)
    }
    assert {"dropout", "use_bias"} <= options.keys()
    for option, default in options.items():
        for value in [*WRONG[type(default)], [default]]:
            if option == "mean" and value == [default]:  # gru-d takes a list of means
                continue
            with pytest.raises(ValueError, match=rf"^`{option}` must [^\n]*, got [^\n]*\.$"):
                create(name, UNITS, **{option: value})


def test_what_keras_does_not_have_is_refused_in_one_line():
    with pytest.raises(
        ValueError, match="^`activation` must be one of Keras' activations, .*'tahn'"
    ):
        create("lstm", UNITS, activation="tahn")
    with pytest.raises(ValueError, match="^`bias_initializer` must be one of Keras' initializers"):
        create("lstm", UNITS, bias_initializer="zero_ones")
    for name in ("lstm", "s5"):
        with pytest.raises(ValueError, match="^`kernel_initializer` must be one of .* got None"):
            create(name, UNITS, kernel_initializer=None)


def test_numbers_of_numpy_are_checked_like_others():
    with pytest.raises(ValueError, match="^`epsilon` must be a finite number, got nan"):
        create("antisymmetric", UNITS, epsilon=np.float32("nan"))
    assert create("antisymmetric", UNITS, epsilon=np.float32(0.5)).epsilon == 0.5


def test_negative_seeds_draw_weights_too():
    one, same, other = (create("lru", UNITS, seed=seed) for seed in (-1, -1, -2))
    for cell in (one, same, other):
        cell.build((None, FEATURES))
    drawn = [np.array(cell.decay) for cell in (one, same, other)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert np.any(drawn[0] != drawn[2])


def test_an_unknown_number_of_features_is_refused():
    with pytest.raises(ValueError, match="number of features must be known, got inputs of shape"):
        create("lstm", UNITS).build((None, None))


@pytest.mark.parametrize(
    ("cell", "message"), [([], "at least one cell"), (["cfc"], "none that takes elapsed times")]
)
def test_lists_of_cells_that_cannot_be_stacked_are_refused(cell, message):
    with pytest.raises(ValueError, match=message):
        cells.Recurrent([create(name, UNITS) for name in cell])


def test_bias_of_the_gate_needs_biases():
    with pytest.raises(ValueError, match="`gate_bias=True` needs `use_bias=True`"):
        GatedCell(UNITS, gate_bias=True, use_bias=False)


def test_a_cell_must_say_what_a_step_is():
    with pytest.raises(TypeError, match="RecurrentCell defines neither `step` nor `advance`"):
        cells.RecurrentCell(UNITS).step(None, None, [])


def test_create_makes_each_cell():
    for name, kind in CELLS.items():
        cell = create(name, UNITS, dropout=0.1)
        assert type(cell) is kind
        assert (cell.units, cell.dropout) == (UNITS, 0.1)


@pytest.mark.parametrize("name, answer", [("ltsm", "did you mean 'lstm'"), ("x", "vanilla, gated")])
def test_create_rejects_an_unknown_name(name, answer):
    with pytest.raises(ValueError, match=f"no cell named '{name}'.*{answer}"):
        create(name, UNITS)
    for wrong in (5, None, [name]):
        with pytest.raises(ValueError, match="There is no cell named"):
            create(wrong, UNITS)  # pyright: ignore[reportArgumentType]


@every_case
def test_configuration_rebuilds_the_cell(case):
    options = {
        "kernel_initializer": "he_normal",
        "recurrent_initializer": "glorot_uniform",
        "bias_initializer": "ones",
        **case.dropouts(0.2, 0.1),
        "seed": 5,
        "name": "core",
    }
    default = create(case.name, UNITS).get_config()
    first = create(case.name, UNITS, **case.options)
    inner: Any = getattr(first, "cell", first)
    taken = default.keys() - {*inner.unused_options}
    options = {name: value for name, value in options.items() if name in taken}
    cell = create(case.name, UNITS, dtype="float16", **case.options, **options)
    again = type(cell).from_config(cell.get_config())
    assert again.get_config() == cell.get_config()
    own_options = {name: value for name, value in case.options.items() if name != "cell"}
    assert again.get_config().items() >= {"units": UNITS, **own_options}.items()
    assert {k for k, v in options.items() if default[k] == v} == set()
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(cell))
    assert twin.get_config() == cell.get_config()


def test_every_option_is_in_the_configuration():
    """`get_config` returns all arguments of the constructor, for the base and for each cell."""
    for kind in CELLS.values():
        taken = set()
        for parent in (cells.RecurrentCell, kind):
            code = parent.__init__.__code__
            taken |= set(code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount])
        refused = {option for option in taken - {"units"} if _refuses(kind, option)}
        assert taken - refused <= set(kind(UNITS).get_config())


def _refuses(kind, option):
    """Whether a cell has no use for an option of the base class, and says so."""
    if option in kind.__init__.__code__.co_varnames:
        return False
    try:
        kind(UNITS, **{option: getattr(kind(UNITS), option)})
    except (TypeError, ValueError) as refusal:
        return option in str(refusal)
    return False


def test_the_matrices_of_a_highway_start_different():
    cell = create("highway", UNITS, depth=2, seed=1)
    cell.build((None, 4))
    first, *others = np.split(np.array(cell.recurrent_kernel), 4, axis=1)
    assert all(error(other, first) > 0.1 for other in others)


def identity_cell(**options):
    """A cell whose output is its input plus its state, which shows dropout."""
    cell = VanillaCell(FEATURES, activation="linear", use_bias=False, dtype="float64", **options)
    cell.build((None, FEATURES))
    cell.set_weights([np.eye(FEATURES), np.eye(FEATURES)])
    return cell


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "plain"])
def test_dropout_leaves_out_the_same_inputs_at_each_step(fast):
    rows, steps = 500, 6
    layer = recurrent(identity_cell(dropout=0.25, seed=1), fast=fast, return_sequences=True)
    outputs = np.array(layer(np.ones((rows, steps, FEATURES)), training=True))
    taken = np.diff(outputs, axis=1, prepend=0)  # (rows, steps, features)
    np.testing.assert_allclose(taken, taken[:, :1].repeat(steps, axis=1), atol=1e-12)
    assert set(taken.round(9).ravel()) == {0.0, round(1 / 0.75, 9)}
    assert abs((taken[:, 0] == 0).mean() - 0.25) < 0.04
    assert len(np.unique(taken[:, 0], axis=0)) == 2**FEATURES  # rows are left out on their own


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "plain"])
def test_recurrent_dropout_leaves_out_the_same_states_at_each_step(fast):
    rows, steps = 500, 6
    layer = recurrent(
        identity_cell(recurrent_dropout=0.25, seed=1), fast=fast, return_sequences=True
    )
    start = [np.ones((rows, FEATURES))]
    outputs = np.array(layer(np.zeros((rows, steps, FEATURES)), initial_state=start, training=True))
    factor = outputs[:, 0]
    np.testing.assert_allclose(outputs, np.stack([factor**k for k in range(1, 7)], 1))
    assert set(factor.round(9).ravel()) == {0.0, round(1 / 0.75, 9)}
    assert abs((factor == 0).mean() - 0.25) < 0.04


@pytest.mark.quick_for("lstm")
@core_cell
def test_dropout_is_drawn_again_by_each_call_and_repeats_with_the_seed(case):
    layer = recurrent(shared(case, dropout=0.3, recurrent_dropout=0.3))
    generator = layer.cell.seed_generator

    def run():
        return np.array(layer(X, training=True))

    generator.state.assign([0, 1])
    first, second = run(), run()
    generator.state.assign([0, 1])
    assert error(run(), first) == 0
    assert error(second, first) > 0.01
    assert error(layer(X), recurrent(shared(case))(X)) < 1e-12


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "plain"])
def test_validation_does_not_change_the_dropout_of_training(fast):
    layer = recurrent(identity_cell(dropout=0.3, recurrent_dropout=0.3, seed=1), fast=fast)
    before = np.array(layer.cell.seed_generator.state)
    layer(X)
    assert np.array_equal(layer.cell.seed_generator.state, before)
    layer(X, training=True)
    assert not np.array_equal(layer.cell.seed_generator.state, before)


def test_the_masks_of_a_list_of_cells_are_drawn_before_its_loop():
    """Within the loop of another backend, they could not be drawn: `stateless_call` fails there."""
    stacked = [create("gru", UNITS, dropout=0.5, seed=seed) for seed in (1, 2)]
    layer = Recurrent(stacked)
    layer.build((None, None, FEATURES))
    layer._maybe_config_dropout_masks(layer.cell, X[:, 0], layer.get_initial_state(len(X)))
    assert all(cell._dropout_mask is not None for cell in stacked)


def test_examples_in_docstrings():
    for module in pkgutil.walk_packages(cells.__path__, "seqzoo.cells."):
        results = doctest.testmod(importlib.import_module(module.name))
        assert results.failed == 0
    assert doctest.testmod(cells).failed == 0


@pytest.mark.parametrize("name", ["gru", "weight-drop", "stacked"])
def test_a_layer_can_be_trained_after_an_error(name):
    options = {"rate": 0.5} if name == "weight-drop" else {"dropout": 0.2}
    layer = Recurrent(create(name, UNITS, **options), fast=False)
    x = tf.ones((4, 2, FEATURES))
    layer.build(x.shape)

    @tf.function(autograph=False)
    def trained(x, mask):
        return layer(x, mask=mask, training=True)

    with pytest.raises(ValueError, match="`mask` must have one value"):
        trained(x, tf.ones((4, 3), "bool"))
    assert trained(x, tf.ones((4, 2), "bool")).shape == (4, UNITS)


@pytest.mark.parametrize("stacked", [False, True])
def test_a_smaller_batch_can_follow_an_interrupted_one(stacked, monkeypatch):
    cell = create("gru", UNITS, dropout=0.2)
    layer = Recurrent([cell] if stacked else cell, fast=False)
    x = tf.ones((4, 2, FEATURES))
    with monkeypatch.context() as patch:
        patch.setattr(Recurrent, "_set_static_shapes", interrupt)
        patch.setattr(keras.layers.RNN, "inner_loop", interrupt)
        with pytest.raises(KeyboardInterrupt):
            layer(x, training=True)
    assert layer(x[:2], training=True).shape == (2, UNITS)


def interrupt(*_, **__):
    raise KeyboardInterrupt
