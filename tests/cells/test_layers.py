"""`Recurrent` returns the same numbers on every path and in every precision, and trains."""

from typing import Any

import keras
import numpy as np
import oracles
import pytest
import tensorflow as tf
from cell_cases import (
    BATCH,
    FEATURES,
    GRU_BEFORE,
    MASKS,
    TIME,
    UNITS,
    Case,
    X,
    error,
    initial_states,
    recurrent,
    shared,
)
from custom_cells import Multiplicative, StepOnly, make

from seqzoo.cells import CELLS, LSTMCell, Recurrent, VanillaCell, create
from seqzoo.cells.engine.scan import scan_of

LSTM = Case("lstm", {})
MASK = MASKS["gaps"] & np.array([[True], [False], [True]])
X32 = X.astype("float32")
# Half a unit in the last place of each type, times what the errors of 7 steps add up to.
TOLERANCE = {"float64": 1e-12, "float32": 1e-6, "float16": 5e-3, "bfloat16": 4e-2}


def expected_outputs(case, cell, mask=MASK):
    states = [np.zeros((BATCH, UNITS)) for _ in initial_states(cell)]
    return oracles.run(case.step(cell), X, states, mask)[0]


def specs(*sizes):
    return [tf.TensorSpec((*sizes, FEATURES), tf.float32), tf.TensorSpec(sizes, tf.bool)]


MODES = {
    "eager": lambda run: run,
    "static": lambda run: tf.function(run, input_signature=specs(BATCH, TIME)),
    "free batch": lambda run: tf.function(run, input_signature=specs(None, TIME)),
    "free time": lambda run: tf.function(run, input_signature=specs(BATCH, None)),
    "free": lambda run: tf.function(run, input_signature=specs(None, None)),
    "jit": lambda run: tf.function(run, jit_compile=True),
}


def slow(*values):
    """A case that differs little from a quick test."""
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.mark.parametrize("case", [LSTM, slow(GRU_BEFORE)], ids=str)
@pytest.mark.parametrize("mode", MODES)
def test_same_numbers_in_every_mode(case, mode):
    cell = shared(case, "float32")
    layer = recurrent(cell, return_sequences=True)
    run = MODES[mode](lambda x, mask: layer(x, mask=mask))
    assert error(run(tf.constant(X32), tf.constant(MASK)), expected_outputs(case, cell)) < 1e-6


@pytest.mark.parametrize("kind", [slow(StepOnly), Multiplicative])
def test_same_numbers_in_every_mode_for_a_custom_cell(kind):
    cell = make(kind, "float32")
    layer = recurrent(cell, return_sequences=True)
    expected = recurrent(cell, fast=False, return_sequences=True)(X32, mask=MASK)
    for mode in ("eager", "free", "jit"):
        run = MODES[mode](lambda x, mask: layer(x, mask=mask))
        assert error(run(tf.constant(X32), tf.constant(MASK)), expected) < 1e-6


def test_gradients_under_xla():
    layer = recurrent(shared(LSTM, "float32"))

    def slope(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x, training=True) ** 2)
        return tape.gradient(loss, x)

    x = tf.constant(X32)
    assert error(tf.function(slope, jit_compile=True)(x), slope(x)) < 1e-6


POLICIES = ["float64", "float32", "bfloat16", "mixed_bfloat16", "float16", "mixed_float16"]


@pytest.mark.quick_for(
    "lstm-mixed_bfloat16-fast",
    "lstm-float32-plain",
    "gru-reset_after=False-bfloat16-plain",
    "lstm-float64-plain",
    rest="exhaustive",
)
# A loop is compiled for each one that is fast: one of each precision is quick.
@pytest.mark.parametrize(
    "case, policy, fast",
    [
        pytest.param(
            case,
            policy,
            fast,
            marks=[] if not fast or policy in quick else [pytest.mark.slow],
            id=f"{case}-{policy}-{'fast' if fast else 'plain'}",
        )
        for case, quick in [(LSTM, ["float32", "mixed_bfloat16"]), (GRU_BEFORE, ["mixed_float16"])]
        for policy in POLICIES
        for fast in (True, False)
    ],
)
def test_every_precision(case, policy, fast):
    cell = shared(case, policy)
    layer = recurrent(cell, fast=fast, return_sequences=True)
    with tf.GradientTape() as tape:
        outputs = layer(tf.constant(X), mask=MASK, training=True)
        loss = tf.reduce_sum(tf.cast(outputs, "float64") ** 2)
    tolerance = TOLERANCE[cell.compute_dtype]
    assert outputs.dtype == cell.compute_dtype
    assert error(tf.cast(outputs, "float64"), expected_outputs(case, cell)) < tolerance

    exact = case.make("float64")
    exact.set_weights(cell.get_weights())
    with tf.GradientTape() as reference:
        outputs = recurrent(exact, fast=False, return_sequences=True)(X, mask=MASK)
        exact_loss = tf.reduce_sum(outputs**2)
    ours = tape.gradient(loss, [w.value for w in cell.trainable_weights])
    theirs = reference.gradient(exact_loss, [w.value for w in exact.trainable_weights])
    for a, b in zip(ours, theirs, strict=True):
        assert a.dtype == cell.variable_dtype
        assert error(tf.cast(a, "float64"), b) < 3 * tolerance


@pytest.mark.parametrize(
    "of_cell, of_layer", [("mixed_bfloat16", "float32"), ("float32", "mixed_bfloat16")]
)
@pytest.mark.parametrize("steps", [1, TIME])
@pytest.mark.parametrize("fast", [True, False], ids=["fast", "plain"])
def test_cell_and_layer_of_different_precision(of_cell, of_layer, steps, fast):
    cell = LSTM.make(of_cell)
    options = {"return_sequences": True, "return_state": True, "dtype": of_layer}
    expected = keras.layers.RNN(cell, **options)(X32[:, :steps])
    actual = Recurrent(cell, fast=fast, **options)(X32[:, :steps])
    for a, b in zip(actual, expected, strict=True):
        assert a.dtype == b.dtype
        assert error(tf.cast(a, "float32"), tf.cast(b, "float32")) < TOLERANCE["bfloat16"]


@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU", "GRU before"])
@pytest.mark.parametrize(
    "use_bias, mask",
    [
        (True, "gaps"),
        slow(False, "none"),
    ],
)
def test_weights_go_to_and_from_the_layers_of_keras(name, use_bias, mask):
    options = {"GRU before": {"reset_after": False}, "GRU": {"reset_after": True}}.get(name, {})
    ours = "vanilla" if name == "SimpleRNN" else name.split()[0].lower()
    theirs = getattr(keras.layers, name.split()[0])(
        UNITS, use_bias=use_bias, return_sequences=True, return_state=True, **options
    )
    mask = MASKS[mask]
    theirs.build((None, TIME, FEATURES))
    cell = Case(ours, {"use_bias": use_bias, **options}).make("float32")
    layer = recurrent(cell, return_sequences=True, return_state=True)
    layer.build((None, TIME, FEATURES))

    def same():
        expected = theirs(X32, mask=mask)
        return all(error(a, b) < 1e-6 for a, b in zip(layer(X32, mask=mask), expected, strict=True))

    theirs.set_weights(layer.get_weights())
    assert same()
    rng = np.random.default_rng(8)
    theirs.set_weights([rng.normal(size=w.shape) for w in theirs.get_weights()])
    assert not same()
    layer.set_weights(theirs.get_weights())
    assert same()


def test_initial_weights_are_drawn_as_those_of_keras():
    cell = LSTMCell(UNITS)
    cell.build((None, FEATURES))
    np.testing.assert_array_equal(cell.bias, np.repeat([0, 1, 0, 0], UNITS))
    plain = LSTMCell(UNITS, unit_forget_bias=False, bias_initializer="random_normal")
    plain.build((None, FEATURES))
    assert all(np.std(part) > 1e-3 for part in np.split(np.array(plain.bias), 4))
    product = np.array(cell.recurrent_kernel) @ np.array(cell.recurrent_kernel).T
    np.testing.assert_allclose(product, np.eye(UNITS), atol=1e-6)


class Sums(keras.utils.PyDataset):
    """Sequences of any length whose first feature sums to a positive number or not."""

    def __init__(self, batches, rows, seed):
        super().__init__()
        rng = np.random.default_rng(seed)
        self.batches = []
        for _ in range(batches):
            x = rng.normal(size=(rows, int(rng.integers(5, 9)), FEATURES)).astype("float32")
            self.batches.append((x, (x[..., 0].sum(1) > 0).astype("float32")))

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]


@pytest.mark.slow
def test_a_model_learns():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, FEATURES))
    hidden = Recurrent(LSTMCell(UNITS, dropout=0.1, recurrent_dropout=0.1))(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(hidden))
    model.compile(keras.optimizers.Adam(0.02), "binary_crossentropy", metrics=["accuracy"])
    history = model.fit(Sums(20, 16, 0), validation_data=Sums(4, 16, 1), epochs=6, verbose=0)
    assert history.history["loss"][-1] < 0.6 * history.history["loss"][0]
    assert history.history["val_accuracy"][-1] > 0.85


@pytest.mark.slow
def test_a_last_batch_of_another_size():
    x = np.random.default_rng(9).normal(size=(10, TIME, FEATURES)).astype("float32")
    model = keras.Sequential([keras.Input((TIME, FEATURES)), Recurrent(VanillaCell(UNITS))])
    model.compile("sgd", "mse")
    model.fit(x, np.zeros((10, UNITS)), batch_size=4, verbose=0)
    assert error(model.predict(x, batch_size=4, verbose=0), model(x)) < 1e-6


def test_inputs_without_time_and_classes_of_cells_are_errors():
    with pytest.raises(ValueError, match="expected min_ndim=3, found ndim=2"):
        Recurrent(VanillaCell(UNITS))(np.zeros((2, FEATURES), "float32"))
    with pytest.raises(ValueError, match=r"got the class LSTMCell; instantiate it: LSTMCell\(un"):
        Recurrent(LSTMCell)


@pytest.mark.parametrize(
    "shape", [(TIME, BATCH), (1, BATCH * TIME), (BATCH, TIME + 1), (BATCH, TIME, 1, 1), (TIME,)]
)
def test_a_mask_or_times_of_another_shape_than_the_steps_is_an_error(shape):
    message = r"`mask` must have one value per step, \(batch, time\): .*, got the shape \("
    with pytest.raises(ValueError, match=message):
        recurrent(VanillaCell(UNITS))(X, mask=np.ones(shape, bool))
    if shape == (TIME, BATCH):
        with pytest.raises(ValueError, match="`elapsed` must have one "):
            Recurrent(create("cfc", UNITS))((X, np.ones(shape)))


def test_a_mask_may_have_a_last_axis_of_one():
    layer = recurrent(VanillaCell(UNITS))
    assert error(layer(X, mask=MASK[..., None]), layer(X, mask=MASK)) == 0


def test_misspelled_names_and_options_are_answered_with_the_nearest():
    for name, text in {
        "lsmt": r"got the string 'lsmt'; did you mean 'lstm'\?",
        "gru": "'gru'\\.",
    }.items():
        with pytest.raises(ValueError, match=text):
            Recurrent(name, units=4)
    with pytest.raises(ValueError, match=r"no cell named 'lsmt'; did you mean 'lstm'\?"):
        create("lsmt", 4)
    expected = r"Cell has no option 'recurent_dropout'; did you mean 'recurrent_dropout'\?"
    for kind in CELLS:
        with pytest.raises(ValueError, match=expected):
            create(kind, 4, recurent_dropout=0.1)


def plain_and_fast(name, x, **options):
    """Two layers with equal weights, on the plain loop and on the fastest."""
    layers = [Recurrent(create(name, 3, **options), fast=fast) for fast in (False, True)]
    for layer in layers:
        layer(x)
    weights = [weight - 0.1 for weight in layers[0].get_weights()]
    for layer in layers:
        layer.set_weights(weights)
    return layers


def gradients_of(layer, x):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(x) ** 2)
    return tape.gradient(loss, layer.trainable_weights)


@pytest.mark.parametrize("name", ["vanilla", "gru", "conv-gru"])
def test_an_activation_may_be_a_layer_with_weights(name):
    shape = (3, 5, 4, 3, 2) if name == "conv-gru" else (3, 5, 4)
    x = np.random.default_rng(0).normal(size=shape)
    plain, fast = plain_and_fast(name, x, activation=keras.layers.PReLU())
    assert len(plain.trainable_weights) == 4
    assert error(fast(x), plain(x)) < 1e-6


@pytest.mark.parametrize(
    "name, options",
    [
        ("vanilla", {"activation": "softmax"}),
        pytest.param(
            "antisymmetric",
            {"activation": "softmax", "epsilon": 0.01},
            marks=pytest.mark.slow,
        ),
        ("gru", {"recurrent_activation": "softmax"}),
        ("mingru", {"activation": keras.layers.Softmax()}),
    ],
)
def test_activations_that_are_not_elementwise_run_on_the_general_loops(name, options):
    x = np.random.default_rng(0).normal(size=(5, 4, 4)).astype("float32")
    plain, fast = plain_and_fast(name, x, **options)
    assert "is not elementwise" in fast.execution_path()
    assert error(fast(x), plain(x)) < 1e-6
    for a, b in zip(gradients_of(fast, x), gradients_of(plain, x), strict=True):
        assert error(a, b) < 1e-5


@pytest.mark.parametrize("name", ["gated", "zoneout", "residual"])
def test_the_loops_are_chosen_anew_after_an_activation_is_assigned(name):
    options = {"cell": "gated"} if name != "gated" else {}
    cell = create(name, 3, activation="swish", **options)
    cell.build((None, 4))
    layer, scan = Recurrent(cell), scan_of(cell)
    assert "not elementwise" not in layer.execution_path() and scan.fits(cell)
    changed: Any = getattr(cell, "cell", cell)
    changed.activation = keras.activations.softmax
    assert "is not elementwise" in layer.execution_path() and not scan.fits(cell)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, before, after",
    [
        ("gated", "tanh", "softmax"),
        ("gated", "swish", "softmax"),
        ("gated", "softmax", "tanh"),
        ("zoneout", "swish", "softmax"),
        ("residual", "swish", "softmax"),
        ("layer-norm", "tanh", "softmax"),
    ],
)
def test_outputs_follow_an_activation_that_is_assigned_after_a_call(name, before, after):
    x = np.random.default_rng(0).normal(size=(5, 4, 4)).astype("float32")
    options = {"cell": "gated"} if name != "gated" else {}
    layer = Recurrent(create(name, 3, activation=before, **options), return_sequences=True)
    layer(x)
    changed = getattr(layer.cell, "cell", layer.cell)
    changed.activation = keras.activations.get(after)
    plain = Recurrent(layer.cell, return_sequences=True, fast=False)
    assert error(layer(x), plain(x)) < 1e-6
    assert error(Recurrent(layer.cell, return_sequences=True)(x), plain(x)) < 1e-6
    for a, b in zip(gradients_of(layer, x), gradients_of(plain, x), strict=True):
        assert error(a, b) < 1e-5


@pytest.mark.parametrize(
    "name, option",
    [
        ("projection-lstm", "activation"),
        pytest.param("working-memory-lstm", "activation", marks=pytest.mark.slow),
        pytest.param("cfc", "backbone_activation", marks=pytest.mark.slow),
    ],
)
def test_an_activation_with_weights_has_the_width_of_its_argument(name, option):
    layer = Recurrent(create(name, UNITS, **{option: keras.layers.PReLU()}))
    elapsed = np.ones(X.shape[:2], "float32")
    x = X.astype("float32")
    assert layer((x, elapsed) if name == "cfc" else x).shape == (BATCH, UNITS)


@pytest.mark.parametrize(
    "name, sizes, shapes",
    [
        ("lstm", [UNITS], r"the shapes \(batch, 5\), \(batch, 5\), got \(batch, 5\)"),
        ("gru", [UNITS, UNITS], r"the shape \(batch, 5\), got \(batch, 5\), \(batch, 5\)"),
        ("gru", [7], r"the shape \(batch, 5\), got \(batch, 7\)"),
    ],
)
def test_initial_states_of_another_number_or_size_are_refused(name, sizes, shapes):
    states = [np.zeros((BATCH, size), "float32") for size in sizes]
    with pytest.raises(ValueError, match=f"`initial_state` of .*Cell must have {shapes}"):
        Recurrent(create(name, UNITS))(X.astype("float32"), initial_state=states)


@pytest.mark.parametrize("name", ["gru", pytest.param("conv-gru", marks=pytest.mark.slow)])
@pytest.mark.parametrize("batch", [BATCH, None])
def test_an_initial_state_of_one_row_is_that_of_all_rows(name, batch):
    layer = Recurrent(create(name, 2))
    frame = (4, 3) if name == "conv-gru" else ()
    random = np.random.default_rng(0)
    x = random.normal(size=(BATCH, TIME, *frame, FEATURES)).astype("float32")
    state = random.normal(size=(1, *frame, 2)).astype("float32")
    expected = layer(x, initial_state=[np.repeat(state, BATCH, axis=0)])
    inputs = tf.TensorSpec((batch, *x.shape[1:]))
    run = tf.function(lambda x: layer(x, initial_state=[state]), input_signature=[inputs])
    assert error(run(x), expected) < 1e-6
    assert error(layer(x, initial_state=[state]), expected) < 1e-6


def test_an_initial_state_of_other_rows_is_refused():
    state = np.zeros((BATCH + 1, UNITS), "float32")
    with pytest.raises(ValueError, match=f"GRUCell must have {BATCH} rows.* got {BATCH + 1}"):
        Recurrent(create("gru", UNITS))(X.astype("float32"), initial_state=[state])


def test_a_list_of_one_input_is_refused():
    with pytest.raises(
        ValueError, match=r"GRUCell takes one input, \(batch, .* got a list with one"
    ):
        Recurrent(create("gru", 3))([np.ones((2, 5, 4))])
