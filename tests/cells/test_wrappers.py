"""Cells around another cell: which ones fit, their paths, their random numbers, saving."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from cell_cases import BATCH, FEATURES, MASKS, UNITS, Case, X, error, initial_states, recurrent
from oracles import ORACLES

from seqzoo.cells import Bidirectional, Recurrent, RecurrentCell, VanillaCell, create
from seqzoo.cells.base import as_list

X32 = X.astype("float32")


@pytest.mark.parametrize(
    "name, cell, message",
    [
        ("zoneout", "cfc", "ZoneoutCell needs a cell with vector inputs .* got CfCCell"),
        ("layer-norm", "lru", "LayerNormCell needs a cell whose step is one .* got LRUCell"),
        ("layer-norm", "minlstm", "LayerNormCell needs a cell with one product .* got MinLSTMCell"),
        ("weight-drop", "mingru", "WeightDropCell needs a cell with a recurrent product, got MinG"),
        ("attention", "tau-gru", "AttentionCell needs a cell whose states all have `units` units"),
        ("stacked", "conv-gru", "StackedCell needs a cell with vector inputs .* got ConvGRUCell"),
        ("residual", "zoneout", "ResidualCell needs a cell that draws no masks .* got ZoneoutCell"),
        ("residual", "ltsm", "`cell` must be the name of a cell, such as 'lstm', got 'ltsm'"),
        ("residual", 3, "`cell` must be a name or a seqzoo cell, got 3"),
        ("residual", VanillaCell(3), "`cell` must have 5 units, got a cell with 3"),
        ("stacked", VanillaCell(UNITS, dropout=0.5), "`dropout` of the inner cell must be 0, got"),
        ("zoneout", "orthogonal", "`use_bias` must be True: OrthogonalCell's nonlinearity"),
    ],
)
def test_a_cell_that_does_not_fit_is_refused_in_one_line(name, cell, message):
    with pytest.raises(ValueError, match=message) as refused:
        create(name, UNITS, cell=cell, **({"use_bias": False} if cell == "orthogonal" else {}))
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    "name, options, message",
    [
        ("zoneout", {"rate": 1.0}, "`rate` must be"),
        ("weight-drop", {"rate": -0.1}, "`rate` must be"),
        ("layer-norm", {"epsilon": 0}, "`epsilon` must be"),
        ("stacked", {"layers": 0}, "`layers` must be"),
        ("fast-slow", {"fast_cells": 1}, "`fast_cells` must be"),
        ("fast-slow", {"slow_units": 0}, "`slow_units` must be"),
        ("attention", {"window": 0}, "`window` must be"),
        ("zoneout", {"cell": "mingru", "recurrent_dropout": 0.1}, "`recurrent_dropout` must be 0"),
        ("zoneout", {"cell": VanillaCell(UNITS), "cell_options": {"a": 1}}, "`cell_options` needs"),
        ("zoneout", {"cell_options": {"units": UNITS}}, "`cell_options` must not contain 'units'"),
        ("zoneout", {"rat": 0.1}, "ZoneoutCell has no option 'rat'; did you mean 'rate'"),
        ("residual", {"cell": VanillaCell(UNITS), "activation": "relu"}, "`activation` belongs to"),
        ("residual", {"cell": VanillaCell(UNITS), "dtype": "float64"}, "`dtype` belongs to the in"),
        (
            "zoneout",
            {"cell": VanillaCell(UNITS), "kernel_regularizer": "l2"},
            "`kernel_regularizer",
        ),
        ("residual", {"cell": VanillaCell(UNITS), "bias_initializer": "ones"}, "`bias_initializer"),
        (
            "layer-norm",
            {"cell": create("weight-drop", UNITS)},
            "LayerNormCell and WeightDropCell cannot be combined",
        ),
        (
            "residual",
            {"cell": create("zoneout", UNITS)},
            "wrap the cell in ResidualCell first, and that in ZoneoutCell",
        ),
    ],
)
def test_options_out_of_range(name, options, message):
    with pytest.raises(ValueError, match=message):
        create(name, UNITS, **options)


def test_options_may_repeat_those_of_the_inner_cell():
    inner = create("lstm", UNITS, activation="relu")
    assert create("residual", UNITS, cell=inner, activation="relu", dtype="float32").cell is inner


@pytest.mark.quick_for("zoneout")
@pytest.mark.parametrize("name", ["zoneout", "residual", "stacked", "fast-slow"])
def test_an_activation_with_weights_is_saved_once(name, tmp_path):
    inputs = keras.Input((None, FEATURES))
    cell = create(name, UNITS, cell="lstm", activation=keras.layers.PReLU())
    model = keras.Model(inputs, Recurrent(cell)(inputs))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(X32), model(X32))


@pytest.mark.parametrize("name", ["stacked", "fast-slow"])
def test_copies_of_a_cell_have_names_of_their_own(name):
    cell = create(name, UNITS)
    cell.build((None, FEATURES))
    paths = [weight.path for weight in cell.weights]
    assert len(set(paths)) == len(paths)


def test_the_slow_cell_may_be_a_wrapper_of_another_size():
    inner = create("residual", UNITS, cell=create("layer-norm", UNITS))
    cell = create("fast-slow", UNITS, cell=inner, slow_units=3)
    cell.build((None, FEATURES))
    slow = cell.cells[-1]
    assert (slow.units, slow.cell.units, slow.cell.cell.units) == (3, 3, 3)


def test_zoneout_keeps_states_of_one_scale_together():
    cell = create("zoneout", UNITS, cell="slstm", rate=0.0, memory_rate=0.5)
    cell.build((None, FEATURES))
    x = cell.prepare(20 * X32, True)
    kept = np.split(np.array(x)[..., FEATURES:], 4, axis=-1)
    assert not kept[0].any() and 0 < kept[1].mean() < 1
    np.testing.assert_array_equal(kept[1], kept[2])
    np.testing.assert_array_equal(kept[1], kept[3])
    outputs = Recurrent(cell, return_sequences=True)(20 * X32, training=True)
    assert np.abs(outputs).max() <= 1.0


@pytest.mark.parametrize(
    "name, options, groups",
    [
        ("stacked", {}, [(2, 3, 4), (6, 7, 8)]),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in (
                ("residual", {}, [(2, 3, 4)]),
                ("fast-slow", {"slow_units": 3}, [(1, 2, 3), (5, 6, 7)]),
                ("attention", {"window": 2}, [(1, 2, 3)]),
            )
        ),
    ],
)
def test_zoneout_knows_the_states_of_one_scale_in_a_wrapper(name, options, groups):
    inner = create(name, UNITS, cell="slstm", **options)
    cell = create("zoneout", UNITS, cell=inner, memory_rate=0.5)
    cell.build((None, FEATURES))
    sizes = as_list(inner.state_size)
    sizes = [size for k, size in enumerate(sizes) if k not in inner.record_states]
    masks = np.split(np.array(cell.prepare(X32, True))[..., FEATURES:], np.cumsum(sizes)[:-1], -1)
    for first, *others in groups:
        for other in others:
            np.testing.assert_array_equal(masks[first], masks[other])
    separate = [k for k in range(len(sizes)) if k not in {k for g in groups for k in g[1:]}]
    for one, k in enumerate(separate):
        assert not any(np.array_equal(masks[k], masks[j]) for j in separate[:one])
    outputs = Recurrent(cell)(X32, training=True)
    assert outputs.shape == (BATCH, UNITS) and np.isfinite(outputs).all()


def test_zoneout_counts_all_positions_of_attention():
    cell = create("zoneout", UNITS, cell="attention", cell_options={"window": 3})
    cell.build((None, FEATURES))
    for training in (True, False):
        states = cell.get_initial_state(BATCH)
        for count in (1, 2, 3, 3):
            _, states = cell(X32[:, 0], states, training=training)
            expected = [float(k >= 3 - count) for k in range(3)]
            np.testing.assert_array_equal(states[-1], [expected] * BATCH)


@pytest.mark.parametrize(
    "name, options",
    [
        ("qrnn", {}),
        ("t-gru", {}),
        ("t-lstm", {}),
        ("tau-gru", {"delay": 2}),
        ("feed-forward", {"window": 3}),
        ("attention", {"window": 2}),
        ("residual", {"cell": "qrnn"}),
        ("stacked", {"cell": "qrnn"}),
        ("fast-slow", {"cell": "qrnn"}),
    ],
)
@pytest.mark.parametrize("training", [True, False])
def test_zoneout_replaces_the_states_that_store_earlier_ones(name, options, training):
    inner = create(name, UNITS, **options)
    cell = create("zoneout", UNITS, cell=inner, rate=0.9, memory_rate=0.9, seed=1)
    cell.build((None, FEATURES))
    rng = np.random.default_rng(0)
    states = [tf.constant(rng.random((40, n)), "float32") for n in as_list(inner.state_size)]
    x = tf.constant(rng.normal(size=(40, FEATURES)), "float32")
    _, mixed = cell(x, states, training=training)
    _, new = inner(x, states)
    for index, (ours, plain) in enumerate(zip(mixed, new, strict=True)):
        assert (error(ours, plain) < 1e-6) == (index in inner.record_states), index


@pytest.mark.slow
@pytest.mark.parametrize("inner", ["qrnn", "feed-forward", "tau-gru", "attention"])
def test_zoneout_of_some_states_is_the_same_on_the_fast_and_the_plain_loop(inner):
    cell = Case("zoneout", {"cell": inner}).make()
    options = {"return_sequences": True, "return_state": True}
    results = [
        recurrent(cell, fast=fast, **options)(X, initial_state=initial_states(cell), mask=mask)
        for mask in (None, MASKS["gaps"])
        for fast in (True, False)
    ]
    for ours, theirs in (results[:2], results[2:]):
        for a, b in zip(ours, theirs, strict=True):
            assert error(a, b) < 1e-12


def test_options_reach_the_inner_cell():
    cell = create("zoneout", UNITS, activation="relu", cell_options={"unit_forget_bias": False})
    assert cell.cell.activation is keras.activations.relu
    assert cell.cell.unit_forget_bias is False
    assert create("residual", UNITS, cell="mingru").cell.activation is keras.activations.linear


@pytest.mark.parametrize(
    "name, cell, path",
    [
        ("weight-drop", "lstm", "hand-written backward pass"),
        ("residual", "gru", "hand-written backward pass"),
        ("highway-connection", "lru", "hand-written backward pass"),
        ("zoneout", "lstm", "backward pass by automatic differentiation"),
        ("layer-norm", "lstm", "the general scan"),
        ("stacked", "lstm", "the general scan"),
    ],
)
def test_wrappers_run_as_fast_as_their_form_allows(name, cell, path):
    assert path in Recurrent(create(name, UNITS, cell=cell)).execution_path()


@pytest.mark.parametrize("sequences", [True, False])
def test_an_output_made_of_all_steps_at_once_is_that_of_single_steps(sequences):
    cell = Case("highway-connection", {"cell": "gru"}).make()
    states = initial_states(cell)
    options = {"return_sequences": sequences, "return_state": True}
    ways = [recurrent(cell, fast=fast, **options) for fast in (True, False)]
    for mask in MASKS.values():
        ours, theirs = (way(X, initial_state=states, mask=mask) for way in ways)
        for a, b in zip(ours, theirs, strict=True):
            assert error(a, b) < 1e-12


def test_zoneout_keeps_units_as_they_were_or_takes_the_new_ones():
    cell = create("zoneout", UNITS, cell="vanilla", rate=0.25, seed=1, dtype="float64")
    x = np.random.default_rng(0).normal(size=(60, 8, FEATURES))
    outputs = np.array(recurrent(cell, return_sequences=True)(x, training=True))
    weights = {w.name: np.array(w) for w in cell.cell.trainable_variables}
    h, kept = np.zeros((60, UNITS)), []
    for t in range(8):
        (new,) = ORACLES["vanilla"](x[:, t], [h], weights, 1.0)
        stayed = np.isclose(outputs[:, t], h, atol=1e-9)
        assert (stayed | np.isclose(outputs[:, t], new, atol=1e-9)).all()
        h = outputs[:, t]
        kept.append(stayed)
    assert abs(np.mean(kept) - 0.25) < 0.04
    assert np.std(np.mean(kept, axis=(1, 2))) > 0  # redrawn for each step


def test_the_same_weights_are_dropped_in_all_steps_and_rows():
    cell = create("weight-drop", UNITS, cell="vanilla", rate=0.5, seed=1, dtype="float64")
    layer = recurrent(cell)
    layer.build(X.shape)
    with tf.GradientTape() as tape:
        output = layer(X, training=True)
    slope = np.array(tape.gradient(output, cell.cell.recurrent_kernel.value))
    left = slope != 0
    assert 0 < left.mean() < 1
    plain = VanillaCell(UNITS, dtype="float64")
    plain.build((None, FEATURES))
    kernel, matrix, bias = cell.cell.get_weights()
    plain.set_weights([kernel, np.where(left, 2 * matrix, 0), bias])
    assert error(output, recurrent(plain)(X)) < 1e-12
    plain.set_weights([kernel, matrix, bias])
    assert error(layer(X), recurrent(plain)(X)) < 1e-12


@pytest.mark.slow
def test_nested_wrappers_are_saved_in_both_directions_and_mixed_precision(tmp_path):
    inner = create("layer-norm", UNITS, cell="gru", cell_options={"reset_after": True})
    cell = create("zoneout", UNITS, cell=create("residual", UNITS, cell=inner))
    inputs = keras.Input((None, FEATURES))
    x = Bidirectional(cell, return_sequences=True)(keras.layers.Masking()(inputs))
    model = keras.Model(inputs, Recurrent(create("stacked", UNITS, cell="vanilla"))(x))
    padded = np.where(MASKS["right"][..., None], X32, 0).astype("float32")
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert error(again(padded), model(padded)) < 1e-6
    assert error(model(padded[:1, :4]), model(padded)[:1]) < 1e-5
    low = Recurrent(create("zoneout", UNITS, dtype="mixed_bfloat16"), dtype="mixed_bfloat16")
    output = low(X32, training=True)
    assert output.dtype == "bfloat16" and output.shape == (BATCH, UNITS)
    assert low.cell.cell.kernel.dtype == "float32"


class WeighingCell(RecurrentCell):
    """A cell whose `step` reads a weight."""

    gates = ("candidate",)

    def build(self, input_shape):
        super().build(input_shape)
        self.gain = self.add_weight(shape=(self.units,), name="gain", initializer="ones")

    def step(self, x, r, states):
        h = self.activation((x.candidate + r.candidate) * keras.ops.convert_to_tensor(self.gain))
        return h, [h]


def test_weights_are_dropped_anew_and_in_training_only_where_a_step_reads_weights():
    cell = create("weight-drop", UNITS, cell=WeighingCell(UNITS), rate=0.7, seed=0)
    layer = Recurrent(cell)
    first, second = layer(X32, training=True), layer(X32, training=True)
    assert error(first, second) > 1e-3
    plain = Recurrent(WeighingCell(UNITS))
    plain(X32)
    plain.set_weights(layer.get_weights())
    assert error(layer(X32), plain(X32)) < 1e-6
    assert "draws a matrix per batch, and `step` reads a weight or is" in layer.execution_path()


def test_normalisation_does_not_overflow_in_half_precision():
    layer = Recurrent(create("layer-norm", UNITS, cell="gru"))
    expected = layer(X32 * 300)
    half = Recurrent(
        create("layer-norm", UNITS, cell="gru", epsilon=1e-8, dtype="mixed_float16"),
        dtype="mixed_float16",
    )
    half(X32)
    half.set_weights(layer.get_weights())
    assert error(np.array(half(X32 * 300), "float32"), expected) < 0.01
