"""Recomputation: the gradients of a layer that keeps every step, from the states of a few."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from cell_cases import (
    MASKS,
    TIME,
    Case,
    X,
    assert_equal,
    error,
    initial_states,
    recurrent,
    results_and_gradients,
    sequences,
    shared,
)
from cell_names import BEFORE_RELEASES

from seqzoo.cells import Bidirectional, Recurrent, create
from seqzoo.cells.engine import programs, scan
from seqzoo.cells.engine.recomputing import Recomputing

LSTM = Case("lstm", {})
# Gaps, and a row that is all padding.
MASK = MASKS["gaps"] & np.array([[True], [False], [True]])


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


def released(*values):
    return pytest.param(*values, marks=BEFORE_RELEASES)


# One of each form: a hand-written gradient, its own `advance` and `project`, a weight per unit,
# gates kept apart, and an output that is not used in later steps.
FORMS = [
    "lstm",
    slow("mgu"),
    released("minimal-rnn"),
    released("peephole-lstm"),
    released("gru"),
    slow("residual"),
]


def check(cell, every, mask=MASK, x=None, **options):
    x = sequences(cell) if x is None else x
    states = initial_states(cell, len(x))
    expected = results_and_gradients(recurrent(cell, **options), x, states, mask)
    layer = recurrent(cell, recompute=every, **options)
    assert_equal(results_and_gradients(layer, x, states, mask), expected)


@pytest.mark.parametrize("name", FORMS)
def test_has_the_gradients_of_a_loop_that_keeps_all(name):
    case = Case(name, {})
    options = {"return_sequences": True, "return_state": True}
    rates: Any = case.dropouts(0.3, 0.3)
    check(shared(case, **rates), 3, go_backwards=True, **options)


@pytest.mark.parametrize("every", [slow(1), released(TIME), released(100)])
def test_segments_of_any_length(every):
    check(shared(LSTM), every, None)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_pieces_over_the_cores(monkeypatch):
    monkeypatch.setattr(scan, "cores", lambda: 2)
    rng = np.random.default_rng(6)
    x = rng.normal(size=(17, TIME, X.shape[2]))
    check(shared(LSTM), 3, rng.random(x.shape[:2]) < 0.7, x, return_sequences=True)


def test_compiled_loops_do_not_pad():
    """XLA writes out of bounds where it pads some arrays: of rows of four float64 numbers, by one
    row."""
    layer = recurrent(shared(LSTM), recompute=3, return_sequences=True)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(tf.constant(X)))
    tape.gradient(loss, layer.trainable_variables)
    known: dict[Any, Any] = dict(programs.SHARED._programs)
    segmented = [
        program
        for ((loop, *_), _), program in known.items()
        if isinstance(getattr(loop, "__self__", None), Recomputing)
    ]
    assert segmented
    for program in segmented:
        definition = program.graph.as_graph_def()
        bodies = [definition.node, *(f.node_def for f in definition.library.function)]
        assert not {"Pad", "PadV2"} & {node.op for nodes in bodies for node in nodes}


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(None, None), X.shape[:2]])
def test_a_graph_that_is_differentiated_later(shape):
    cell = shared(LSTM)
    layer = recurrent(cell, recompute=3, return_sequences=True)

    @tf.function(input_signature=[tf.TensorSpec((*shape, X.shape[2]), tf.float64)])
    def run(x):
        return layer(x)

    def gradients(run):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(run(tf.constant(X)) ** 2)
        return tape.gradient(loss, layer.trainable_variables)

    expected = gradients(recurrent(cell, return_sequences=True))
    for ours, theirs in zip(gradients(run), expected, strict=True):
        assert error(ours, theirs) < 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lstm", "layer-norm", "mingru"])
@pytest.mark.parametrize("shape", [(None, None), X.shape[:2]])
def test_xla_compiles_a_graph_with_its_gradient(name, shape):
    layer = recurrent(create(name, 5, dtype="float64"), recompute=3, return_sequences=True)
    mask = np.arange(X.shape[1]) < np.full((X.shape[0], 1), X.shape[1] - 2)
    layer(X)

    def gradients(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(x, mask=tf.constant(mask)) ** 2)
        return tape.gradient(loss, layer.trainable_variables)

    signature = [tf.TensorSpec((*shape, X.shape[2]), tf.float64)]
    compiled = tf.function(gradients, input_signature=signature, jit_compile=True)
    pairs = zip(compiled(tf.constant(X)), gradients(tf.constant(X)), strict=True)
    assert all(error(ours, theirs) < 1e-9 for ours, theirs in pairs)


@pytest.mark.slow
def test_keeps_one_segment_rather_than_all_steps():
    """The arrays that the forward loop hands to the backward loop: all values of the last of ten
    segments, and the states before each."""
    cell, x = create("lstm", 4), tf.random.stateless_normal((2, 60, 3), (0, 1))
    cell.build((None, 3))
    kept = {}
    for every in (None, 6):
        loops = scan.Scan(cell, every).loops
        tensors = loops.tensors_of(cell, tf.transpose(x, [1, 0, 2]))
        tensors |= {"steps": 60, "states": [tf.zeros((2, 4)), tf.zeros((2, 4))]}
        result = tf.function(loops.forward, jit_compile=True)(cell, tensors, False, True)
        kept[every] = sum(int(tf.size(value)) for value in tf.nest.flatten(result))
    assert kept[6] * 5 < kept[None]


def test_bidirectional_layers_take_it_and_models_keep_it(tmp_path):
    model = keras.Sequential([Bidirectional(create("gru", 3), recompute=4)])
    x = tf.constant(X, "float32")
    expected = model(x)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.layers[0].forward_layer.recompute == 4
    assert loaded.layers[0].backward_layer.recompute == 4
    assert error(loaded(x), expected) < 1e-6


@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda: Recurrent(create("lstm", 3), recompute=0),
            "`recompute` must be a positive integer or None, got 0",
        ),
        (lambda: Recurrent(create("lru", 3), recompute=9), "LRUCell stores only the state"),
        (
            lambda: Recurrent(
                create("residual", 3, cell=create("residual", 3, cell="lru")), recompute=9
            ),
            "LRUCell stores only the state",
        ),
        (
            lambda: Recurrent(create("gru", 3), recompute=9, fast=False),
            "because `fast=False`; leave",
        ),
        (lambda: Recurrent(keras.layers.GRUCell(3), recompute=9), "GRUCell is not a seqzoo"),
    ],
)
def test_options_without_effect_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_number_of_steps_may_be_that_of_numpy():
    every: Any = np.int64(4)
    config = Recurrent(create("gru", 3), recompute=every).get_config()
    assert type(config["recompute"]) is int and config["recompute"] == 4
