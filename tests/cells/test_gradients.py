"""The fast loops' gradients against automatic differentiation of the plain loop, in float64."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from cell_cases import (
    BATCH,
    CASES,
    CORE,
    FEATURES,
    GRU_BEFORE,
    MASKS,
    TIME,
    UNITS,
    Case,
    X,
    assert_equal,
    core_cell,
    error,
    initial_states,
    loss_of,
    recurrent,
    results_and_gradients,
    sequences,
    shared,
)
from cell_names import BEFORE_RELEASES, FIRST, by_hand
from custom_cells import CUSTOM, Multiplicative, StepOnly, make

from seqzoo.cells import Recurrent, create, portable
from seqzoo.cells.engine import scan

LSTM = Case("lstm", {})


# A hand-written gradient may be wrong for only one option; the automatic one is right for all.
# For the other cells `run_cell_test` checks the gradient that TensorFlow derives.
GRADIENTS = [
    case
    for case in CASES
    if case.name in CORE
    or by_hand(case.name, **case.options)
    or (not case.options and case.name in FIRST.values())
]


def _speed(case):
    """Slow where the loop differentiates the step, which one cell of each family shows quickly."""
    quick = case.name in {*CORE, *FIRST.values()} or by_hand(case.name, **case.options)
    return [] if quick and (not case.options or case == GRU_BEFORE) else [pytest.mark.slow]


every_gradient = pytest.mark.parametrize(
    "case", [pytest.param(case, id=str(case), marks=_speed(case)) for case in GRADIENTS]
)
DROPOUTS: dict[str, Any] = {"dropout": 0.3, "recurrent_dropout": 0.3}
# Gaps, and a row that is all padding.
MASK = MASKS["gaps"] & np.array([[True], [False], [True]])


def check(cell, mask=None, training=True, x=None, **options):
    """Compares the fast layer with the plain one."""
    x = sequences(cell) if x is None else x
    states = initial_states(cell, len(x))
    fast, plain = recurrent(cell, **options), recurrent(cell, fast=False, **options)
    actual = results_and_gradients(fast, x, states, mask, training)
    expected = results_and_gradients(plain, x, states, mask, training)
    assert all(np.linalg.norm(g) > 1e-3 for g in expected[1] if g is not None)
    assert_equal(actual, expected)


@pytest.mark.quick_for(
    "vanilla",
    "lstm",
    "gru-reset_after=False",
    "lru",
    "cfc",
    "conv-lstm",
    "weight-drop",
    rest="exhaustive",  # the contract test has the gradients of every cell
)
@every_gradient
def test_with_mask_dropout_and_states_going_backwards(case):
    cell = shared(case, **case.dropouts(0.3, 0.3))
    check(cell, MASK, go_backwards=True, return_sequences=True, return_state=True)


@pytest.mark.quick_for("lstm", "gru-reset_after=False", rest="exhaustive")
@core_cell
def test_of_the_last_output_only(case):
    check(shared(case))


@pytest.mark.quick_for("gru-reset_after=False", rest="exhaustive")
@pytest.mark.parametrize("case", [LSTM, GRU_BEFORE], ids=str)
def test_without_training(case):
    check(shared(case, **case.dropouts(0.3, 0.3)), MASK, training=False, return_sequences=True)


@pytest.mark.quick_for(
    "False-right-lstm",
    "True-right-lstm",
    "False-none-gru-reset_after=False",
    "True-none-gru-reset_after=False",
    rest="exhaustive",
)
@core_cell
@pytest.mark.parametrize("mask", ["none", "right"])
@pytest.mark.parametrize("zero_output", [False, True])
def test_of_all_outputs_and_states(case, mask, zero_output):
    options: dict[str, Any] = {"return_sequences": True, "return_state": True}
    check(shared(case), MASKS[mask], zero_output_for_mask=zero_output, **options)


@pytest.mark.quick_for("StepOnly", "DecayingLSTM", rest="exhaustive")
@pytest.mark.parametrize(
    "kind",
    [
        kind if k % 2 == 0 else pytest.param(kind, marks=pytest.mark.slow)
        for k, kind in enumerate(CUSTOM)
    ],
)
def test_of_a_custom_cell(kind):
    cell = make(kind, **DROPOUTS)
    check(cell, MASK, go_backwards=True, return_sequences=True, return_state=True)


@pytest.mark.quick_for("lstm", "gru-reset_after=False", rest="exhaustive")
@core_cell
def test_is_the_slope_of_the_loss(case):
    """Central differences along one random direction through inputs, states and weights."""
    cell = shared(case, **case.dropouts(0.3, 0.3))
    layer = recurrent(cell, go_backwards=True, return_sequences=True, return_state=True)
    values = [X, *initial_states(cell), *cell.get_weights()]
    rng = np.random.default_rng(5)
    direction = [rng.normal(size=value.shape) for value in values]
    count = len(values) - len(cell.get_weights())

    def loss(shift):
        moved = [value + shift * d for value, d in zip(values, direction, strict=True)]
        cell.set_weights(moved[count:])
        cell.seed_generator.state.assign([0, 7])
        return loss_of(layer(moved[0], initial_state=moved[1:count], mask=MASK, training=True))

    step = 1e-5
    measured = (loss(step) - loss(-step)) / (2 * step)
    cell.set_weights(values[count:])
    gradients = results_and_gradients(layer, X, values[1:count], MASK)[1]
    slope = sum(np.vdot(g, d) for g, d in zip(gradients, direction, strict=True))
    assert error(slope, measured) < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind, free",
    [
        pytest.param("lstm", True, marks=pytest.mark.slow),
        pytest.param("lstm", False, marks=BEFORE_RELEASES),
        pytest.param(StepOnly, True, marks=BEFORE_RELEASES),
        (Multiplicative, True),
    ],
)
def test_in_a_traced_function(kind, free):
    cell = shared(LSTM) if kind == "lstm" else make(kind)
    options = {"return_sequences": True, "return_state": True}
    fast, plain = recurrent(cell, **options), recurrent(cell, fast=False, **options)
    states = initial_states(cell)
    rows, steps = (None, None) if free else (BATCH, TIME)
    state = tf.TensorSpec((rows, UNITS), tf.float64)
    signature = [
        tf.TensorSpec((rows, steps, FEATURES), tf.float64),
        [state for _ in states],
        tf.TensorSpec((rows, steps), tf.bool),
    ]

    @tf.function(input_signature=signature)
    def gradients(x, states, mask):
        with tf.GradientTape() as tape:
            tape.watch([x, states])
            results = fast(x, initial_state=states, mask=mask, training=True)
            loss = tf.add_n([tf.reduce_sum(result**2) for result in results])
        return tape.gradient(loss, [x, *states, *(v.value for v in cell.trainable_variables)])

    with tf.GradientTape() as tape:
        x, starts = tf.constant(X), [tf.constant(state) for state in states]
        tape.watch([x, starts])
        results = plain(x, initial_state=starts, mask=MASK)
        loss = tf.add_n([tf.reduce_sum(result**2) for result in results])
    expected = tape.gradient(loss, [x, *starts, *(v.value for v in cell.trainable_variables)])
    assert_equal([gradients(X, states, MASK)], [expected])
    if free:
        assert error(gradients(X[:, :1], states, MASK[:, :1])[0], X[:, :1]) > 0


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.setattr(scan, "cores", lambda: 2)


@pytest.mark.quick_for("17-Multiplicative", rest="exhaustive")
@pytest.mark.parametrize("kind", ["lstm", Multiplicative])
@pytest.mark.parametrize("batch", [pytest.param(1, marks=pytest.mark.slow), 17])
def test_of_any_batch_in_pieces_over_the_cores(kind, batch, two_cores):
    cell = shared(LSTM) if kind == "lstm" else make(kind)
    rng = np.random.default_rng(6)
    x = rng.normal(size=(batch, TIME, FEATURES))
    mask = rng.random((batch, TIME)) < 0.7
    check(cell, mask, x=x, return_sequences=True)


@pytest.mark.quick_for("lstm", rest="exhaustive")
@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_of_a_single_feature(name):
    # The loops then multiply instead of making a matrix product.
    cell = create(name, UNITS, dtype="float64")
    cell.build((None, 1))
    rng = np.random.default_rng(7)
    cell.set_weights([rng.normal(0, 0.6, weight.shape) for weight in cell.get_weights()])
    check(cell, MASK, x=X[..., :1], return_sequences=True)


def test_of_one_step():
    check(shared(LSTM, **DROPOUTS), MASK[:, :1], x=X[:, :1], return_state=True)


@pytest.mark.quick_for("Multiplicative", rest="exhaustive")
@pytest.mark.parametrize("kind", [StepOnly, Multiplicative])
def test_of_a_cell_that_is_not_to_be_trained(kind):
    cell = make(kind)
    cell.trainable = False
    check(cell, training=False)


def second_order(layer, wrap=lambda f: f):
    @wrap
    def differentiate(x):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                loss = tf.reduce_sum(layer(x) ** 2)
            slope = tf.reduce_sum(inner.gradient(loss, x) ** 2)
        return outer.gradient(slope, x)

    return differentiate(tf.constant(X))


@pytest.mark.parametrize("wrap", [lambda f: f, tf.function], ids=["eager", "function"])
def test_second_order_is_refused_and_works_without_the_fast_loops(wrap):
    cell = shared(Case("gru", {}))
    with pytest.raises(tf.errors.UnimplementedError, match="second-order.*fast=False"):
        second_order(recurrent(cell), wrap)
    curvature = second_order(recurrent(cell, fast=False), wrap)
    assert np.linalg.norm(curvature) > 1e-3


def test_forward_mode_is_refused_and_works_without_the_fast_loops():
    cell = shared(LSTM)
    x, direction = tf.constant(X), tf.constant(np.random.default_rng(6).normal(size=X.shape))

    def derivative(layer):
        with tf.autodiff.ForwardAccumulator(x, direction) as forward:
            outputs = layer(x)
        return forward.jvp(outputs)

    with pytest.raises(tf.errors.UnimplementedError, match="ForwardAccumulator.*fast=False"):
        derivative(recurrent(cell))
    change = 1e-6 * direction
    expected = (recurrent(cell)(x + change) - recurrent(cell)(x - change)) / 2e-6
    plain = derivative(recurrent(cell, fast=False))
    unrolled = tf.function(derivative)(recurrent(cell, fast=False, unroll=True))
    assert error(plain, expected) < 1e-8
    assert error(unrolled, expected) < 1e-8


def test_gradient_may_be_asked_for_twice():
    cell = shared(LSTM)
    x = tf.constant(X)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        loss = tf.reduce_sum(recurrent(cell)(x, training=True) ** 2)
    assert error(tape.gradient(loss, x), tape.gradient(loss, x)) == 0


@pytest.mark.parametrize(
    "name, called_before",
    [("vanilla", False), ("vanilla", True)]
    + [
        pytest.param(name, called_before, marks=pytest.mark.slow)
        for name in FIRST.values()
        for called_before in (False, True)
        if name != "vanilla" and not create(name, 2).takes_time and create(name, 2).input_rank == 2
    ],
)
def test_several_gradients_of_a_function(name, called_before):
    """TensorFlow then differentiates what the gradient reads of the forward pass, too."""
    layer = recurrent(shared(Case(name, {})))
    function, x = tf.function(lambda x: layer(x) ** 2), tf.constant(X)
    weights = [weight.value for weight in layer.trainable_weights]
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(layer(x) ** 2)
    expected = tape.gradient(loss, [x, *weights])
    if called_before:
        function(x)
    with tf.GradientTape(persistent=True) as tape, tf.GradientTape() as other:
        tape.watch(x)
        other.watch(x)
        loss = tf.reduce_sum(function(x))
    for each in (tape, tape, other):
        found = each.gradient(loss, [x, *weights])
        assert max(map(error, found, expected)) < 1e-9
    with pytest.raises(tf.errors.UnimplementedError, match="second-order.*fast=False"):
        second_order(function)


def test_an_output_that_is_not_a_state_is_refused():
    class Doubling(StepOnly):
        def step(self, x, r, states):
            h, new = super().step(x, r, states)
            return 2 * h, new

    with pytest.raises(TypeError, match="same tensor as its output and as its first state"):
        Recurrent(make(Doubling), dtype="float64")(X)
    assert keras.layers.RNN(make(Doubling), dtype="float64")(X).shape == (BATCH, UNITS)


@pytest.mark.slow
def test_sums_over_many_steps_in_half_precision():
    """Those of weights that a step reads: each term of 600 steps is small beside their sum."""
    x = np.random.default_rng(0).uniform(0.5, 1, (2, 600, FEATURES)).astype("float32")
    cell = create("peephole-lstm", UNITS, dtype="mixed_bfloat16")
    layer = Recurrent(cell, return_sequences=True, dtype="mixed_bfloat16")
    layer.build(x.shape)
    rng = np.random.default_rng(1)
    layer.set_weights([rng.uniform(-0.3, 0.3, w.shape) for w in layer.get_weights()])

    def gradients():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.cast(layer(x), "float32"))
        return tape.gradient(loss, [getattr(cell, name).value for name in cell.unit_weights])

    fast = gradients()
    with portable():
        plain = gradients()
    for ours, expected in zip(fast, plain, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=0.05, atol=1e-4)
