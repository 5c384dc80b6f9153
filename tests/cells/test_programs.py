"""Compiled programs are shared by cells that compute the same, and by no others."""

import gc
import os
import pathlib
import subprocess
import sys
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf
from cell_cases import BATCH, FEATURES, TIME, UNITS, X, error
from cell_names import BEFORE_RELEASES

import seqzoo.cells as cells
from seqzoo.cells.engine import programs, scan

ROOT = pathlib.Path(__file__).parents[2]
MADE = []
"""A global object that cells of these tests read."""


@pytest.fixture(autouse=True)
def shared(monkeypatch):
    """Programs of only this test."""
    shared = programs.Programs()
    monkeypatch.setattr(programs, "SHARED", shared)
    return shared


def distinct(shared) -> int:
    return len({id(program) for program in shared._programs.values()})


def results_and_gradients(layer, x, **options):
    with tf.GradientTape() as tape:
        tape.watch(x)
        results = layer(x, **options)
        loss = tf.reduce_sum(results * np.random.default_rng(0).normal(size=results.shape))
    return [results, *tape.gradient(loss, [x, *(w.value for w in layer.trainable_variables)])]


def check(cell):
    """The cell's results and gradients are those of the plain loop."""
    x = tf.constant(X)
    fast = cells.Recurrent(cell, dtype="float64", return_sequences=True)
    plain = cells.Recurrent(cell, dtype="float64", return_sequences=True, fast=False)
    assert "Keras' plain loop" not in fast.execution_path()
    actual, expected = results_and_gradients(fast, x), results_and_gradients(plain, x)
    for a, b in zip(actual, expected, strict=True):
        assert error(a, b) < 1e-9
    return actual[0]


def check_forward(cell):
    """The cell's results are those of the plain loop."""
    actual, expected = (
        cells.Recurrent(cell, dtype="float64", return_sequences=True, fast=fast)(X)
        for fast in (True, False)
    )
    assert error(actual, expected) < 1e-9
    return actual


def leaky(rate):
    """A new class at each call, always with the same name."""

    class Leaky(cells.RecurrentCell):
        gates = ("candidate",)

        def step(self, x, r, states):
            (h,) = states
            h = rate * h + self.activation(x.candidate + r.candidate)
            return h, [h]

    return Leaky


class Rated(cells.RecurrentCell):
    """Has what it reads as an attribute, and no `get_config` of its own."""

    gates = ("candidate",)
    scale = 1.0

    def __init__(self, units, rate, **kwargs):
        super().__init__(units, **kwargs)
        self.rate = rate

    def step(self, x, r, states):
        (h,) = states
        rate = tf.reduce_mean(self.rate["all"]) if isinstance(self.rate, dict) else self.rate
        h = rate * h + self.scale * self.activation(x.candidate + r.candidate)
        return h, [h]


class RatedRecurrence(Rated):
    """The same by the general loops."""

    def recur(self, h):
        return super().recur(0.5 * h)


class ReadsGlobal(cells.RecurrentCell):
    """Reads a value that is not an attribute."""

    gates = ("candidate",)

    def step(self, x, r, states):
        h = MADE[-1] * self.activation(x.candidate + r.candidate)
        return h, [h]


def rescaled(kind):
    """A subclass of the same name in which a class attribute differs."""
    return type(kind.__name__, (kind,), {"scale": 0.5})


def released(*values):
    """A case that differs little from another case of its test."""
    return pytest.param(*values, marks=BEFORE_RELEASES)


def float64(kind, *args, **options):
    return lambda: kind(UNITS, *args, dtype="float64", seed=1, **options)


PAIRS = {
    "class": (float64(cells.VanillaCell), float64(cells.GatedCell)),
    "activation": (float64(cells.GRUCell), float64(cells.GRUCell, activation="relu")),
    "gates' activation": (
        float64(cells.LSTMCell),
        float64(cells.LSTMCell, recurrent_activation="hard_sigmoid"),
    ),
    "bias": (float64(cells.GRUCell), float64(cells.GRUCell, use_bias=False)),
    "option": (float64(cells.GRUCell), float64(cells.GRUCell, reset_after=False)),
    "bias of a gate": (float64(cells.GatedCell), float64(cells.GatedCell, gate_bias=True)),
    "lambda": (
        float64(cells.GRUCell, activation=lambda x: tf.tanh(x)),
        float64(cells.GRUCell, activation=lambda x: 0.5 * tf.tanh(x)),
    ),
    "redefined class": (float64(leaky(0.5)), float64(leaky(0.25))),
    "attribute": (float64(Rated, 0.5), float64(Rated, 0.25)),
    "type of an attribute": (float64(Rated, 1.0), float64(Rated, {"all": np.array([0.25])})),
    "tensor": (float64(Rated, np.full((1, 1), 0.5)), float64(Rated, np.full((1, 1), 0.25))),
    "general loops": (float64(RatedRecurrence, 0.5), float64(RatedRecurrence, 0.25)),
    "class attribute": (float64(Rated, 0.5), float64(rescaled(Rated), 0.5)),
}


@pytest.mark.quick_for("run-bias", "run-attribute", rest="exhaustive")
@pytest.mark.parametrize("first, second", PAIRS.values(), ids=PAIRS)
@pytest.mark.parametrize(
    "check", [pytest.param(check, marks=BEFORE_RELEASES), check_forward], ids=["trained", "run"]
)
def test_cells_that_differ_in_one_thing_have_their_own_programs(first, second, check):
    results = []
    for make in (first, second):
        cell = make()
        cell.build((None, FEATURES))
        rng = np.random.default_rng(0)
        cell.set_weights([rng.normal(0, 0.6, w.shape) for w in cell.get_weights()])
        results.append(check(cell))
    assert error(*results) > 1e-3


@pytest.mark.parametrize(
    "make",
    [
        float64(cells.GRUCell),
        released(float64(cells.GRUCell, reset_after=False)),
        released(float64(cells.LSTMCell, activation=lambda x: tf.tanh(x))),
        released(float64(Rated, 0.5)),
        float64(RatedRecurrence, 0.5),
    ],
)
def test_cells_that_compute_the_same_share_their_programs(make, shared):
    check(make())
    count = distinct(shared)
    assert count == 2  # forward, backward
    check(make())
    assert distinct(shared) == count


def test_a_class_that_is_defined_again_shares_where_its_step_is_the_same(shared):
    check(float64(leaky(0.5))())
    count = distinct(shared)
    check(float64(leaky(0.5))())
    assert distinct(shared) == count


@pytest.mark.slow
def test_directions_layers_and_models_share(shared):
    def model():
        layers = [cells.Bidirectional(cells.GRUCell(UNITS), return_sequences=True)]
        layers += [
            cells.Bidirectional(cells.GRUCell(UNITS), return_sequences=True) for _ in range(2)
        ]
        return keras.Sequential([*layers, keras.layers.Dense(1)])

    first, second = model(), model()
    first.compile("sgd", "mse")
    x, y = np.zeros((BATCH, TIME, 2 * UNITS)), np.zeros((BATCH, TIME, 1))
    first.train_on_batch(x, y)
    assert distinct(shared) == 2  # forward, backward
    second.compile("sgd", "mse")
    second.train_on_batch(x, y)
    assert distinct(shared) == 2


@pytest.mark.exhaustive
@pytest.mark.slow
def test_an_attribute_may_change_after_a_call():
    cell = float64(Rated, 0.5)()
    before = check(cell)
    cell.rate = 0.25
    after = check(cell)
    assert error(after, before) > 1e-3
    cell = float64(cells.GRUCell)()
    before = check(cell)
    cell.activation = keras.activations.relu
    assert error(check(cell), before) > 1e-3


def test_a_layer_sees_that_an_attribute_of_its_cell_changed():
    cell = float64(Rated, 0.5)()
    layer = cells.Recurrent(cell, dtype="float64")
    before = layer(X)
    cell.rate = 0.25
    plain = cells.Recurrent(cell, dtype="float64", fast=False)
    assert error(layer(X), before) > 1e-3
    assert error(layer(X), plain(X)) < 1e-9


@pytest.mark.slow
def test_a_layer_sees_that_an_attribute_of_a_wrapped_cell_changed():
    cell = float64(Rated, 0.5)()
    wrapper = cells.create("residual", cell.units, cell=cell, dtype="float64")
    wrapper = cells.create("zoneout", cell.units, cell=wrapper, dtype="float64")
    layer = cells.Recurrent(wrapper, dtype="float64")
    before = layer(X)
    cell.rate = 0.25
    plain = cells.Recurrent(wrapper, dtype="float64", fast=False)
    assert error(layer(X), before) > 1e-3
    assert error(layer(X), plain(X)) < 1e-9


def test_the_trace_shows_what_no_attribute_does():
    results = []
    for factor in (0.5, 0.25):
        MADE.append(factor)
        cell = float64(ReadsGlobal)()
        cell.build((None, FEATURES))
        cell.set_weights([np.full(w.shape, 0.1) for w in cell.get_weights()])
        results.append(check(cell))
    assert error(*results) > 1e-3


@pytest.mark.slow
def test_a_method_that_is_replaced_is_traced_again(monkeypatch):
    before = check(float64(cells.VanillaCell)())

    def step(self, x, r, states):
        h = 0.5 * self.activation(x.candidate + r.candidate)
        return h, [h]

    monkeypatch.setattr(cells.VanillaCell, "step", step)
    monkeypatch.setattr(cells.VanillaCell, "has_step_gradient", False)
    assert error(check(float64(cells.VanillaCell)()), before) > 1e-3


@pytest.mark.slow
def test_a_program_that_contains_a_tensor_belongs_to_its_cell(shared):
    # Larger than what TensorFlow writes into a graph as a constant.
    for value in (0.5, 0.25):
        check(float64(Rated, {"all": tf.fill([200], tf.constant(value, tf.float64))})())
    assert len(shared) == 0


@pytest.mark.parametrize(
    "make",
    [
        released(float64(cells.GRUCell)),
        released(float64(cells.GRUCell, reset_after=False)),
        float64(Rated, 0.5),
    ],
)
def test_no_program_keeps_its_cell_alive(make, shared):
    cell = make()
    layer = cells.Recurrent(cell, dtype="float64")
    results_and_gradients(layer, tf.constant(X))
    gone = weakref.ref(cell)
    del cell, layer
    gc.collect()
    assert gone() is None
    assert distinct(shared) == 2


def test_no_gradient_keeps_its_graph_or_its_cell_alive(shared):
    """TensorFlow keeps the gradient function of each `tf.custom_gradient` in a graph for good."""

    def references():
        layer = cells.Recurrent(cells.GRUCell(UNITS), return_sequences=True)
        layer.build((None, None, FEATURES))

        @tf.function(input_signature=[tf.TensorSpec((None, None, FEATURES))])
        def step(x):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(layer(x) ** 2)
            return tape.gradient(loss, layer.trainable_weights)

        gradients = step(tf.constant(X, "float32"))
        assert all(np.any(gradient) for gradient in gradients)
        return weakref.ref(layer.cell), weakref.ref(step.get_concrete_function().graph)

    cell, graph = references()
    gc.collect()
    assert cell() is None and graph() is None


def test_no_program_keeps_a_class_alive(shared):
    kind = leaky(0.5)
    check(float64(kind)())
    gone = weakref.ref(kind)
    del kind
    gc.collect()
    assert gone() is None
    assert len(shared)


def test_programs_are_bounded():
    kept = programs.Programs(max_programs=2)
    for key in "abc":
        assert kept.keep(key, key.upper) is not None
        kept.get("a")
    assert len(kept) == 2
    assert kept.get("b") is None
    assert kept.get("a") is not None
    first, second = kept.get("c"), "c".lower
    assert kept.keep("c", second) is first


@pytest.mark.slow
def test_a_graph_runs_on_when_its_programs_are_dropped(monkeypatch):
    shared = programs.Programs(max_programs=1)
    monkeypatch.setattr(programs, "SHARED", shared)
    layer = cells.Recurrent(float64(cells.GRUCell)(), dtype="float64")
    run = tf.function(layer)
    before = run(tf.constant(X))
    for kind in (cells.LSTMCell, cells.VanillaCell, cells.GatedCell):
        check(float64(kind)())
        assert len(shared) == 1
    gc.collect()
    assert error(run(tf.constant(X)), before) == 0
    assert error(layer(X), before) < 1e-9


def test_lengths_of_a_few_share_their_loops(shared):
    layer = cells.Recurrent(cells.LSTMCell(UNITS))
    for steps in (5, 6, 7, 8, 9, 11):
        layer(np.zeros((BATCH, steps, FEATURES)))
    assert distinct(shared) == 1


COMPILED = """
import sys

import tensorflow as tf
import seqzoo.cells as cells

names = ("gru", "mut1", "nas", "layer-norm", "indrnn", "mingru", "lru", "s5")
layers = [cells.Recurrent(cells.CELLS[name](4), return_sequences=True) for name in names]
layers.append(cells.Recurrent(cells.GRUCell(4), return_sequences=True, recompute=8))
x = tf.ones((2, 20, 3))
for steps in (17, 18, 20):
    print("length", steps, file=sys.stderr)
    for layer in layers:
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x[:, :steps]))
        tape.gradient(loss, x)
"""


@pytest.mark.slow
def test_lengths_that_share_a_program_compile_it_once():
    # TensorFlow compiles a program again if the value of an argument must be known.
    log = {"TF_CPP_MIN_LOG_LEVEL": "0", "TF_CPP_VMODULE": "device_compilation_profiler=1"}
    run = subprocess.run(
        [sys.executable, "-c", COMPILED],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | log,
    )
    assert run.returncode == 0, run.stderr
    first, *others = run.stderr.split("length ")[1:]
    assert first.count(" times, compile time: ") >= 18
    assert all(" times, compile time: " not in other for other in others)


MAKERS = [float64(cells.GRUCell), float64(cells.LSTMCell, activation="softsign"), float64(Rated, 1)]
MAKERS += [float64(cells.GRUCell, reset_after=False)]


def loops(shared) -> list:
    """Of each program kept: the loop's name, and whether it keeps what a gradient needs."""
    keys = {id(program): key[0] for key, program in shared._programs.items()}
    return sorted((loop.__name__, *options[1:]) for loop, options, *_ in keys.values())


@pytest.mark.parametrize(
    "make, training",
    [
        (MAKERS[0], None),
        *(released(make, None) for make in MAKERS[1:3]),
        (MAKERS[3], None),
        released(MAKERS[0], False),
        released(MAKERS[0], True),
    ],
)
def test_a_tape_runs_the_forward_loop_once(make, training, shared):
    layer = cells.Recurrent(make(), dtype="float64", return_sequences=True)
    plain = cells.Recurrent(layer.cell, dtype="float64", return_sequences=True, fast=False)
    actual = results_and_gradients(layer, tf.constant(X), training=training)
    assert loops(shared) == [("backward",), ("forward", True)]
    for a, b in zip(actual, results_and_gradients(plain, tf.constant(X)), strict=True):
        assert error(a, b) < 1e-9


@pytest.mark.parametrize("training", [None, True])
def test_without_a_tape_nothing_is_kept(training, shared):
    layer = cells.Recurrent(cells.GRUCell(UNITS))
    layer(X, training=training)
    assert loops(shared) == [("forward", False)]
    with tf.GradientTape(watch_accessed_variables=False):
        layer(X, training=training)
    assert loops(shared) == [("forward", False)]


def calls(graph) -> list:
    """The calls of compiled programs in a graph."""
    return [op for op in graph.get_operations() if op.type.endswith("PartitionedCall")]


@pytest.mark.slow
@pytest.mark.parametrize(
    "make, sequences",
    [
        (MAKERS[0], True),
        *(released(make, True) for make in MAKERS[1:]),
        released(MAKERS[0], False),
        (MAKERS[3], False),
    ],
)
def test_a_graph_that_is_differentiated_later_runs_the_forward_loop_once(make, sequences):
    layer = cells.Recurrent(make(), dtype="float64", return_sequences=sequences)
    plain = cells.Recurrent(layer.cell, dtype="float64", return_sequences=sequences, fast=False)
    x = tf.constant(X)
    run = tf.function(layer)
    inference = run.get_concrete_function(x)
    (call,) = calls(inference.graph)
    outputs = len(call.outputs)
    expected = results_and_gradients(plain, x)
    for _ in range(2):
        for a, b in zip(results_and_gradients(run_as(run, layer), x), expected, strict=True):
            assert error(a, b) < 1e-9
    assert len(calls(inference.graph)) == 1
    # The program without a gradient is the same as before.
    definition = inference.function_def
    (node,) = [node for node in definition.node_def if node.op.endswith("PartitionedCall")]
    assert len(node.attr["Tout"].list.type) == outputs
    assert len(call.outputs) > outputs


def run_as(function, layer):
    """The function with the layer's weights."""

    def run(x):
        return function(x)

    run.trainable_variables = layer.trainable_variables
    return run


@pytest.mark.slow
@pytest.mark.parametrize("way", ["loop", released("condition"), released("twice")])
def test_gradients_through_a_graph_s_own_control_flow(way):
    layer = cells.Recurrent(float64(cells.GRUCell)(), dtype="float64", return_sequences=True)
    plain = cells.Recurrent(layer.cell, dtype="float64", return_sequences=True, fast=False)

    def program(layer):
        def run(x):
            if way == "loop":
                done = tf.while_loop(
                    lambda k, _: k < 2, lambda k, sum: (k + 1, sum + layer(x)), [0, layer(x)]
                )
                return done[1]
            if way == "condition":
                return tf.cond(tf.reduce_sum(x) < 1e9, lambda: layer(x), lambda: 0 * layer(x))
            return tf.function(layer)(x) + layer(x)

        return run_as(tf.function(run), layer)

    layer.cell.build((None, FEATURES))
    x = tf.constant(X)
    expected = results_and_gradients(program(plain), x)
    for a, b in zip(results_and_gradients(program(layer), x), expected, strict=True):
        assert error(a, b) < 1e-9


def test_a_graph_may_ask_for_the_programs_of_training(shared):
    layer = cells.Recurrent(cells.GRUCell(UNITS))
    with scan.use_training_programs():
        beside = tf.function(layer)(X)
    assert loops(shared) == [("forward", True)]
    alone = tf.function(layer)(X)
    assert loops(shared) == [("forward", False), ("forward", True)]
    assert error(beside, alone) < 1e-6
