"""Regularizers and constraints of cells, and penalties on what a layer returns, against Keras'."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from cell_cases import BATCH, FEATURES, TIME, UNITS, X, error, step_shape

from seqzoo.cells import CELLS, Bidirectional, GRUCell, LSTMCell, Recurrent, VanillaCell, create
from seqzoo.cells.engine import programs

X32 = X.astype("float32")
REGULARIZERS = {
    "kernel_regularizer": "l2",
    "recurrent_regularizer": keras.regularizers.L1L2(0.01, 0.02),
    "bias_regularizer": "l1",
}
CONSTRAINTS = {
    "kernel_constraint": "non_neg",
    "recurrent_constraint": keras.constraints.MaxNorm(0.5),
    "bias_constraint": keras.constraints.MinMaxNorm(0.1, 0.2),
}
PAIRS = [
    (VanillaCell, keras.layers.SimpleRNN),
    (LSTMCell, keras.layers.LSTM),
    (GRUCell, keras.layers.GRU),
]


def with_equal_weights(cell, kind, **options):
    """Our layer and Keras' with the same random weights."""
    ours = Recurrent(cell(UNITS, **options))
    theirs = kind(UNITS, **options)
    rng = np.random.default_rng(0)
    for layer in (ours, theirs):
        layer.build((None, TIME, FEATURES))
    ours.set_weights([rng.normal(0, 0.6, w.shape) for w in ours.get_weights()])
    theirs.set_weights(ours.get_weights())
    return ours, theirs


@pytest.mark.parametrize("cell, kind", PAIRS)
def test_penalties_on_weights_are_those_of_keras(cell, kind):
    ours, theirs = with_equal_weights(cell, kind, **REGULARIZERS)
    assert ours.execution_path().startswith("Runs the fast scan")
    assert len(ours.losses) == 3
    for a, b in zip(ours.losses, theirs.losses, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    kernel, recurrent, bias = ours.get_weights()
    expected = [
        0.01 * (kernel**2).sum(),
        0.01 * abs(recurrent).sum() + 0.02 * (recurrent**2).sum(),
        0.01 * abs(bias).sum(),
    ]
    np.testing.assert_allclose(ours.losses, expected, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "cell, kind", [PAIRS[0], *(pytest.param(*pair, marks=pytest.mark.slow) for pair in PAIRS[1:])]
)
def test_constrained_training_is_that_of_keras(cell, kind):
    layers = with_equal_weights(cell, kind, **REGULARIZERS, **CONSTRAINTS)
    targets = np.random.default_rng(1).normal(size=(BATCH, UNITS)).astype("float32")
    losses = []
    for layer in layers:
        model = keras.Sequential([keras.Input((TIME, FEATURES)), layer])
        model.compile(keras.optimizers.SGD(0.1), "mse")
        losses.append(model.fit(X32, targets, epochs=3, verbose=0).history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-5)
    ours, theirs = layers
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert error(a, b) < 1e-5
    kernel, recurrent, _ = ours.get_weights()
    assert kernel.min() >= 0 and (kernel == 0).any()
    assert np.linalg.norm(recurrent, axis=0).max() < 0.5 + 1e-5


def test_penalties_on_outputs_are_those_of_keras():
    ours, theirs = with_equal_weights(LSTMCell, keras.layers.LSTM)
    for layer in (ours, theirs):
        layer.activity_regularizer = keras.regularizers.L2(0.3)
    np.testing.assert_allclose(0.3 * np.sum(np.square(ours(X32))) / BATCH, ours.losses[0], 1e-5)
    theirs(X32)
    np.testing.assert_allclose(ours.losses, theirs.losses, rtol=1e-5)
    both = Bidirectional(LSTMCell(UNITS), activity_regularizer="l2")
    both(X32)
    assert len(both.losses) == 2


def test_penalties_on_outputs_belong_to_the_layer():
    with pytest.raises(ValueError, match=r"Recurrent\(GRUCell\(...\), activity_regularizer=...\)"):
        GRUCell(UNITS, activity_regularizer="l2")
    layer = Recurrent(GRUCell(UNITS), activity_regularizer="l1")
    again = Recurrent.from_config(layer.get_config())
    assert isinstance(again.activity_regularizer, keras.regularizers.L1)


@pytest.mark.parametrize("name", [name for name in CELLS if name != "echo-state"])
def test_every_cell_with_trained_weights_takes_them_and_saves_them(name):
    cell = create(name, UNITS, **REGULARIZERS, **CONSTRAINTS)
    again = type(cell).from_config(cell.get_config())
    assert again.get_config() == cell.get_config()
    again.build(step_shape(again))
    for weight in again.trainable_weights:
        prefix = {"kernel": "kernel", "recurrent_kernel": "recurrent", "bias": "bias"}.get(
            weight.name
        )
        if prefix:
            regularizer = keras.regularizers.get(REGULARIZERS[f"{prefix}_regularizer"])
            constraint = keras.constraints.get(CONSTRAINTS[f"{prefix}_constraint"])
            assert weight.regularizer.get_config() == regularizer.get_config()
            assert weight.constraint.get_config() == constraint.get_config()
        elif weight.name.endswith("_kernel"):
            assert weight.regularizer is not None and weight.constraint is not None
    with pytest.raises(ValueError, match="l3"):
        create(name, UNITS, kernel_regularizer="l3")


def test_cells_with_them_share_compiled_loops():
    options = (
        {"seed": 1},
        {"seed": 2, **REGULARIZERS, **CONSTRAINTS},
        {"kernel_constraint": "non_neg"},
    )
    cells = [LSTMCell(UNITS, **each) for each in options]
    for cell in cells:
        cell.build((None, FEATURES))
    descriptions = [programs.description(cell) for cell in cells]
    assert descriptions[0] is not None
    assert len(set(descriptions)) == 1


def test_a_model_with_them_is_saved(tmp_path):
    layer = Bidirectional(LSTMCell(UNITS, **REGULARIZERS, **CONSTRAINTS))
    model = keras.Sequential([keras.Input((None, FEATURES)), layer])
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(tf.add_n(again.losses), tf.add_n(model.losses), rtol=1e-6)
    ours, loaded = (m.layers[0].backward_layer.cell.get_config() for m in (model, again))
    for name in (*REGULARIZERS, *CONSTRAINTS):
        assert loaded[name] == ours[name] and ours[name] is not None


@pytest.mark.slow
def test_a_bounded_recurrent_weight_returns_from_the_bound():
    """The best weight, 0.5, is inside the bound, from which training starts."""
    cell = create("indrnn", 1, activation="linear", recurrent_maximum=0.9, use_bias=False,
                  recurrent_initializer="ones", kernel_initializer="ones")  # fmt: skip
    inputs = keras.Input((6, 1))
    model = keras.Model(inputs, Recurrent(cell, return_sequences=True)(inputs))
    weight = cell.recurrent_weight
    np.testing.assert_allclose(weight, 0.9)
    x = np.zeros((1, 6, 1), "float32")
    x[:, 0] = 1
    target = 0.5 ** np.arange(6.0).reshape(1, 6, 1)
    cell.kernel.trainable = False
    model.compile(keras.optimizers.SGD(0.5), "mse")
    model.fit(x, target, epochs=20, verbose=0)
    np.testing.assert_allclose(weight, 0.5, atol=1e-2)
    weight.assign([2.0])  # from elsewhere
    np.testing.assert_allclose(model(x)[0, :, 0], 0.9 ** np.arange(6), rtol=1e-5)
    model.fit(x, target, epochs=20, verbose=0)
    np.testing.assert_allclose(weight, 0.5, atol=1e-2)


@pytest.mark.parametrize(
    "name, option, weight",
    [
        ("indrnn", "recurrent", "recurrent_weight"),
        ("unicornn", "recurrent", "recurrent_weight"),
        ("orthogonal", "bias", "modulation"),
        ("mgu3", "bias", "forget_bias"),
        ("gru-d", "bias", "decay_bias"),
        ("highway-connection", "bias", "gate_bias"),
        ("stacked", "bias", "readout_bias"),
        ("lmu", "kernel", "hidden_encoder"),
        ("brc", "recurrent", "feedback_weight"),
        ("sru", "recurrent", "forget_weight"),
        ("e-lstm", "recurrent", "candidate_weight"),
    ],
)
def test_weights_of_other_names_have_the_options_that_describe_them(name, option, weight):
    options = {f"{option}_regularizer": "l2", f"{option}_constraint": "non_neg"}
    cell = create(name, 4, **options)
    cell.build(step_shape(cell))
    own = getattr(cell, weight)
    assert isinstance(own.regularizer, keras.regularizers.L2)
    assert isinstance(own.constraint, keras.constraints.NonNeg)


@pytest.mark.parametrize(
    "name", ["mingru", *(pytest.param(n, marks=pytest.mark.slow) for n in ("lru", "t-gru"))]
)
@pytest.mark.parametrize("option", ["recurrent_regularizer", "recurrent_constraint"])
def test_options_of_recurrent_weights_need_some(name, option):
    options = {option: "l2" if "regularizer" in option else "non_neg"}
    with pytest.raises(ValueError, match=f"`{option}` has no effect in .*no recurrent weights"):
        Recurrent(create(name, UNITS, **options))(X32)
    with pytest.raises(ValueError, match=f"`{option}` has no effect in .*no recurrent weights"):
        Recurrent(create("residual", UNITS, cell=name, **options))(X32)


@pytest.mark.parametrize("option", ["kernel_regularizer", "recurrent_constraint"])
def test_a_reservoir_takes_none_of_them(option):
    value = "l2" if "regularizer" in option else "non_neg"
    with pytest.raises(ValueError, match=f"`{option}` has no effect in EchoStateCell"):
        create("echo-state", UNITS, **{option: value})
