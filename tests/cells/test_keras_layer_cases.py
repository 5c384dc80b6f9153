"""Keras' own checks of its recurrent layers, run on ours."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from cell_cases import error
from cell_names import BEFORE_RELEASES

from seqzoo.cells import Bidirectional, GRUCell, LSTMCell, Recurrent, VanillaCell

UNITS, FEATURES = 3, 4
CONSTANT = {
    "kernel_initializer": keras.initializers.Constant(0.01),
    "recurrent_initializer": keras.initializers.Constant(0.02),
    "bias_initializer": keras.initializers.Constant(0.03),
}
CELL_OPTIONS = {
    *("activation", "recurrent_activation", "use_bias", "unit_forget_bias", "reset_after"),
    *("kernel_initializer", "recurrent_initializer", "bias_initializer"),
    *("kernel_regularizer", "recurrent_regularizer", "bias_regularizer"),
    *("dropout", "recurrent_dropout", "seed"),
}
KINDS = {
    "SimpleRNN": (VanillaCell, keras.layers.SimpleRNN),
    "LSTM": (LSTMCell, keras.layers.LSTM),
    "GRU": (GRUCell, keras.layers.GRU),
}
RAMP = np.arange(24, dtype="float32").reshape(2, 3, FEATURES) / 10
MASKS = {
    "right": np.array([[1, 1, 0], [1, 0, 0]], bool),
    "gap": np.array([[1, 0, 1], [0, 1, 1]], bool),
    "empty": np.array([[0, 0, 0], [1, 1, 1]], bool),
}


def ours(kind, **options):
    """A layer of ours with the options that Keras' layer of that name takes."""
    of_cell = {name: options.pop(name) for name in CELL_OPTIONS & options.keys()}
    return Recurrent(KINDS[kind][0](UNITS, **of_cell), **options)


def theirs(kind, **options):
    return KINDS[kind][1](UNITS, **options)


def assert_same(actual, expected):
    for a, b in zip(keras.tree.flatten(actual), keras.tree.flatten(expected), strict=True):
        assert error(a, b) < 1e-5


every_kind = pytest.mark.parametrize("kind", KINDS)
one_kind = pytest.mark.parametrize(
    "kind", ["LSTM", *(pytest.param(kind, marks=BEFORE_RELEASES) for kind in ("GRU", "SimpleRNN"))]
)
"""Of what costs much and differs little between them."""


@pytest.mark.slow
@one_kind
def test_basics(kind):
    """Shapes, weights, losses, symbolic calls, half precision, configuration."""
    penalties = {"kernel_regularizer": "l2", "recurrent_regularizer": "l2"}
    for options in ({}, {"return_sequences": True, "bias_regularizer": "l1", **penalties}):
        dropout = {"dropout": 0.5, "recurrent_dropout": 0.5, "seed": 1}
        layer = ours(kind, **dropout, **options)
        expected = theirs(kind, **dropout, **options)
        symbolic = [each(keras.Input((2, FEATURES), batch_size=3)) for each in (layer, expected)]
        assert symbolic[0].shape == symbolic[1].shape
        outputs = layer(np.ones((3, 2, FEATURES)), training=True)
        assert outputs.shape == expected(np.ones((3, 2, FEATURES)), training=True).shape
        assert len(layer.trainable_weights) == len(expected.trainable_weights) == 3
        assert len(layer.non_trainable_weights) == 0
        assert len(layer.non_trainable_variables) == len(expected.non_trainable_variables) == 1
        assert len(layer.losses) == len(expected.losses)
        assert layer.supports_masking
        again = Recurrent.from_config(layer.get_config())
        assert again.get_config() == layer.get_config()
        half = Recurrent(KINDS[kind][0](UNITS, dtype="mixed_bfloat16"), dtype="mixed_bfloat16")
        assert half(np.ones((3, 2, FEATURES))).dtype == "bfloat16"
        assert half.cell.kernel.dtype == "float32"


VARIANTS = {
    "SimpleRNN": [{}, {"activation": "relu"}, {"use_bias": False}],
    "LSTM": [{}, {"unit_forget_bias": False}, {"use_bias": False}],
    "GRU": [{}, {"reset_after": False}, {"use_bias": False}],
}


@pytest.mark.parametrize("path", [{}, {"unroll": True}, {"go_backwards": True}], ids=str)
@pytest.mark.parametrize(
    "kind, variant", [(kind, variant) for kind in KINDS for variant in VARIANTS[kind]], ids=str
)
def test_correctness(kind, variant, path):
    options = {**CONSTANT, **variant, **path}
    assert_same(ours(kind, **options)(RAMP), theirs(kind, **options)(RAMP))


def test_a_linear_recurrence_of_ones():
    """By hand: h1 = 3, h2 = 3 + 2 h1 = 9, then from the state 9: 21 and 45."""
    options = {"kernel_initializer": "ones", "recurrent_initializer": "ones"}
    cell = VanillaCell(2, activation="linear", **options)
    layer = Recurrent(cell, stateful=True, return_sequences=True, return_state=True)
    outputs, state = layer(np.ones((1, 2, 3)))
    np.testing.assert_allclose(outputs, [[[3, 3], [9, 9]]])
    np.testing.assert_allclose(state, [[9, 9]])
    outputs, state = layer(np.ones((1, 2, 3)))
    np.testing.assert_allclose(outputs, [[[21, 21], [45, 45]]])
    np.testing.assert_allclose(state, [[45, 45]])
    layer.reset_states()  # Keras' other name
    np.testing.assert_allclose(layer(np.ones((1, 2, 3)))[1], [[9, 9]])


@every_kind
def test_statefulness(kind):
    layers = [make(kind, stateful=True, **CONSTANT) for make in (ours, theirs)]
    for _ in range(2):
        assert_same(*[layer(RAMP) for layer in layers])
    for layer in layers:
        layer.reset_state()
    for _ in range(2):
        assert_same(*[layer(RAMP) for layer in layers])


@every_kind
def test_a_stateful_layer_in_a_graph_of_any_batch(kind):
    layer, expected = (make(kind, stateful=True, **CONSTANT) for make in (ours, theirs))
    layer(RAMP)
    expected(RAMP)
    graph = tf.function(
        lambda x: layer(x, training=False), input_signature=[tf.TensorSpec((None, 3, FEATURES))]
    )
    assert_same(graph(RAMP), expected(RAMP))


def test_another_batch_size_is_refused_by_a_stateful_layer():
    inputs = keras.Input((3, FEATURES), batch_size=2)
    model = keras.Model(inputs, ours("LSTM", stateful=True)(inputs))
    model(RAMP)
    with pytest.raises(ValueError, match="batch size"):
        model(RAMP[:1])
    with pytest.raises(ValueError, match="batch size"):
        ours("LSTM", stateful=True)(keras.Input((3, FEATURES)))


@every_kind
@pytest.mark.parametrize("go_backwards", [False, True])
def test_initial_states_and_last_states(kind, go_backwards):
    options = {"return_state": True, "go_backwards": go_backwards, **CONSTANT}
    layer, expected = ours(kind, **options), theirs(kind, **options)
    count = 2 if kind == "LSTM" else 1
    states = [np.arange(6, dtype="float32").reshape(2, UNITS) / (k + 2) for k in range(count)]
    assert_same(layer(RAMP, initial_state=states), expected(RAMP, initial_state=states))
    if count == 1:  # without a list, too
        assert_same(layer(RAMP, initial_state=states[0]), expected(RAMP, initial_state=states[0]))
    output, *last = layer(RAMP)
    assert_same(output, last[0])


@pytest.mark.slow
@one_kind
@pytest.mark.parametrize("mask", MASKS)
def test_masking(kind, mask):
    for options in (
        {"unroll": True},
        {"return_sequences": True},
        {"return_sequences": True, "unroll": True},
        {"return_sequences": True, "zero_output_for_mask": True},
        {"return_sequences": True, "zero_output_for_mask": True, "go_backwards": True},
        {"return_state": True, "go_backwards": True},
    ):
        layer, expected = ours(kind, **options, **CONSTANT), theirs(kind, **options, **CONSTANT)
        assert_same(layer(RAMP, mask=MASKS[mask]), expected(RAMP, mask=MASKS[mask]))


@every_kind
@pytest.mark.parametrize("sizes", [(3, 4), (None, None)], ids=str)
def test_computed_shapes(kind, sizes):
    for sequences in (False, True):
        for state in (False, True):
            options = {"return_sequences": sequences, "return_state": state}
            shapes = [
                make(kind, **options).compute_output_shape((*sizes, FEATURES))
                for make in (ours, theirs)
            ]
            assert shapes[0] == shapes[1]
            for merge_mode in ("concat", "sum", None):
                wrapped = [
                    Bidirectional(ours(kind, **options), merge_mode=merge_mode),
                    keras.layers.Bidirectional(theirs(kind, **options), merge_mode=merge_mode),
                ]
                shapes = [layer.compute_output_shape((*sizes, FEATURES)) for layer in wrapped]
                assert shapes[0] == shapes[1]


def test_stacked_cells():
    def stack(kinds, wrap):
        return wrap(
            [kind(units, **CONSTANT) for kind, units in zip(kinds, (3, 4, 5), strict=True)],
            return_state=True,
            stateful=True,
        )

    layer = stack([VanillaCell, LSTMCell, GRUCell], Recurrent)
    keras_cells = [keras.layers.SimpleRNNCell, keras.layers.LSTMCell, keras.layers.GRUCell]
    expected = stack(keras_cells, keras.layers.RNN)
    for _ in range(2):
        assert_same(layer(RAMP, mask=MASKS["gap"]), expected(RAMP, mask=MASKS["gap"]))
    assert len(layer.trainable_weights) == 9
    assert layer(RAMP)[0].shape == (2, 5)


@pytest.mark.parametrize(
    "merge_mode",
    [
        "concat",
        *(pytest.param(mode, marks=pytest.mark.slow) for mode in ("ave", "mul", "sum", None)),
    ],
)
@one_kind
def test_both_directions(kind, merge_mode):
    for options in ({}, {"return_sequences": True}, {"return_state": True}, {"stateful": True}):
        options = {**options, **CONSTANT}
        layers = [
            Bidirectional(ours(kind, **options), merge_mode=merge_mode),
            keras.layers.Bidirectional(theirs(kind, **options), merge_mode=merge_mode),
        ]
        assert_same(*[layer(RAMP, mask=MASKS["right"]) for layer in layers])
        if "stateful" in options:
            assert_same(*[layer(RAMP) for layer in layers])
            for layer in layers:
                layer.reset_state()
        assert_same(*[layer(RAMP) for layer in layers])


@every_kind
def test_layers_of_keras_in_our_wrapper(kind):
    backward = {**CONSTANT, "recurrent_initializer": "ones", "go_backwards": True}
    for wrap in (keras.layers.Bidirectional, Bidirectional):
        layer = wrap(
            theirs(kind, stateful=True, **CONSTANT),
            backward_layer=theirs(kind, stateful=True, **backward),
            merge_mode="sum",
        )
        first, second = layer(RAMP), layer(RAMP)
        layer.reset_state()
        assert_same(layer(RAMP), first)
        assert error(second, first) > 1e-5
        if wrap is keras.layers.Bidirectional:
            expected = first
    assert_same(first, expected)


def test_initial_states_of_both_directions():
    states = [k * np.arange(6, dtype="float32").reshape(2, UNITS) / 9 for k in range(1, 5)]
    layer = Bidirectional(ours("LSTM", **CONSTANT))
    expected = keras.layers.Bidirectional(theirs("LSTM", **CONSTANT))
    assert_same(layer(RAMP, initial_state=states), expected(RAMP, initial_state=states))


@one_kind
def test_distributed_over_an_outer_time(kind):
    """(batch, outer time, time, features); with a mask, Keras' layers fail in it, too."""
    x = np.stack([RAMP, 2 * RAMP], axis=1)
    layer = keras.layers.TimeDistributed(ours(kind, **CONSTANT))
    expected = keras.layers.TimeDistributed(theirs(kind, **CONSTANT))
    assert_same(layer(x), expected(x))
    assert_same(layer(x)[:, 1], ours(kind, **CONSTANT)(2 * RAMP))
    assert layer.compute_output_shape(x.shape) == (2, 2, UNITS)
    with pytest.raises(ValueError, match="mask"):
        layer(x, mask=np.ones((2, 3), bool))


@pytest.mark.slow
@one_kind
def test_a_dense_layer_at_each_step_after_an_embedding_with_mask(kind):
    ids = np.array([[1, 2, 0], [3, 0, 0], [4, 5, 6], [1, 1, 0]])
    tags = np.random.default_rng(0).integers(0, 5, ids.shape)
    histories = []
    for make in (ours, theirs):
        model = keras.Sequential(
            [
                keras.Input((3,)),
                keras.layers.Embedding(10, FEATURES, mask_zero=True, embeddings_initializer="ones"),
                make(kind, return_sequences=True, **CONSTANT),
                keras.layers.TimeDistributed(
                    keras.layers.Dense(5, activation="softmax", kernel_initializer="ones")
                ),
            ]
        )
        model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
        history = model.fit(ids, tags, batch_size=2, epochs=3, shuffle=False, verbose=0)
        histories.append(history.history["loss"])
    np.testing.assert_allclose(*histories, rtol=1e-4)
