"""Layers that are called with the time since the previous step."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from cell_cases import BATCH, ELAPSED, FEATURES, MASKS, TIME, UNITS, Case, X, error, recurrent

from seqzoo.cells import Bidirectional, Recurrent, create
from seqzoo.cells.layers.elapsed import elapsed_in_order

X32, ELAPSED32 = X.astype("float32"), ELAPSED.astype("float32")
PADDED = np.where(MASKS["right"][..., None], X32, 0).astype("float32")


def test_time_elapses_during_masked_steps():
    elapsed = np.array([[1.0, 2.0, 4.0, 8.0, 16.0]])
    mask = np.array([[False, True, False, True, True]])
    forward = np.array(elapsed_in_order(elapsed, mask, False))[mask]
    backward = np.array(elapsed_in_order(elapsed, mask, True))[mask]
    np.testing.assert_array_equal(forward, [3, 12, 16])
    np.testing.assert_array_equal(backward, [12, 16, 3])
    np.testing.assert_array_equal(elapsed_in_order(elapsed, None, True), [[2, 4, 8, 16, 1]])


def test_adjacent_steps_keep_their_time_exactly():
    elapsed = np.array([[1e6, 0.1, 0.2]], "float32")
    mask = np.ones((1, 3), bool)
    np.testing.assert_array_equal(elapsed_in_order(elapsed, mask, False), elapsed)


@pytest.fixture(scope="module")
def model():
    """Both directions, a stack, and padding that another layer finds."""
    x, elapsed = keras.Input((None, FEATURES)), keras.Input((None,))
    read = keras.layers.Masking()(x)
    read = Bidirectional(create("cfc", UNITS, backbone_units=3), return_sequences=True)(
        (read, elapsed)
    )
    return keras.Model([x, elapsed], Recurrent(create("ltc", UNITS))((read, elapsed)))


def test_padding_changes_nothing(model):
    whole = np.array(model([PADDED, ELAPSED32]))
    assert error(model([PADDED[:1, :4], ELAPSED32[:1, :4]]), whole[:1]) < 1e-5
    later = model([PADDED, np.where(MASKS["right"], 2 * ELAPSED32, ELAPSED32)])
    assert error(later, whole) > 1e-3


@pytest.mark.slow
def test_a_model_with_time_is_saved_and_traced(model, tmp_path):
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    expected = model([PADDED, ELAPSED32])
    assert error(again([PADDED, ELAPSED32]), expected) < 1e-6
    traced = tf.function(lambda x, t: model([x, t]), autograph=False)
    assert error(traced(PADDED, ELAPSED32), expected) < 1e-6
    model.export(tmp_path / "exported", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "exported"))
    assert error(served.serve([PADDED, ELAPSED32]), expected) < 1e-5


def test_no_time_changes_nothing_and_long_gaps_forget():
    still = recurrent(Case("ltc", {}).make(), return_sequences=True)
    assert error(still((X, 0 * ELAPSED)), np.zeros((BATCH, TIME, UNITS))) == 0
    cell = Case("cfc", {"variant": "pure", "backbone_layers": 0}).make()
    far = recurrent(cell)((X, 1e6 + ELAPSED))
    assert error(far, np.tile(cell.target, (BATCH, 1))) < 1e-9


def test_missing_values_do_not_matter_and_decay_to_the_mean():
    cell = create("gru-d", UNITS, mean=[3.0, -1.0], dtype="float64")
    layer = recurrent(cell, return_state=True)
    marks = np.zeros((BATCH, TIME, 2))
    marks[:, 0] = 1
    seen = np.concatenate([X[..., :2], marks], 2)
    other = np.concatenate([np.where(marks == 1, X[..., :2], 77.0), marks], 2)
    elapsed = np.concatenate([ELAPSED[:, :1], np.ones((BATCH, TIME - 1))], 1)
    h, _, last, waited = layer((seen, elapsed))
    np.testing.assert_allclose(h, layer((other, elapsed))[0], rtol=1e-12)
    np.testing.assert_allclose(last, X[:, 0, :2])
    np.testing.assert_allclose(waited, TIME - 1)
    # After a long gap a missing value is as good as the mean, so observing the mean is the same but
    # for what the marks say, and for the state's own decay.
    cell.mark_kernel.assign(0 * cell.mark_kernel)
    cell.decay_kernel.assign(0 * cell.decay_kernel)
    long = np.where(np.arange(TIME) == 1, 1e4, elapsed)
    means = np.where(marks == 1, X[..., :2], [3.0, -1.0])
    marked = np.concatenate([means, np.ones_like(marks)], 2)
    assert error(layer((seen, long))[0], layer((marked, long))[0]) < 1e-2
    assert error(layer((seen, elapsed))[0], layer((marked, elapsed))[0]) > 5e-2


@pytest.mark.parametrize(
    "name, given, message",
    [
        ("cfc", X32, r"CfCCell needs the time .*: layer\(\(x, elapsed\)\), got 1 input\."),
        ("lstm", (X32, ELAPSED32), "LSTMCell takes one input, .* got 2"),
        ("cfc", (X32, ELAPSED32 - 1), "`elapsed` must be .* at least 0, got -.* in row 0, step"),
        ("cfc", (X32, np.where(ELAPSED32 == ELAPSED32[1, 2], np.nan, ELAPSED32)), "row 1, step 2"),
        (
            "cfc",
            (X32, ELAPSED32[:, 1:]),
            "`elapsed` must have one time per step, got 6 for 7 steps",
        ),
        ("gru-d", (X32[..., :3], ELAPSED32), "n values followed by n mask values, got 3 features"),
    ],
)
def test_wrong_times_are_refused_in_one_line(name, given, message):
    with pytest.raises(ValueError, match=message) as refused:
        Recurrent(create(name, UNITS))(given)
    assert len(str(refused.value).splitlines()) == 1


def test_means_are_as_many_as_the_values():
    with pytest.raises(ValueError, match="`mean` must have length 2, one number per value, got 3"):
        Recurrent(create("gru-d", UNITS, mean=[1, 2, 3]))((X32, ELAPSED32))
    for options in ({"variant": "fast"}, {"backbone_layers": -1}):
        with pytest.raises(ValueError, match="must be"):
            create("cfc", UNITS, **options)
    with pytest.raises(ValueError, match="`solver_steps` must be a positive integer, got 0"):
        create("ltc", UNITS, solver_steps=0)


def test_dropout_spares_what_says_which_values_were_observed():
    cell = create("gru-d", UNITS, dropout=0.5, seed=1, dtype="float64")
    layer = recurrent(cell, return_state=True)
    seen = np.ones((BATCH, TIME, 4))
    _, _, last, waited = layer((seen, np.ones((BATCH, TIME))), training=True)
    assert set(np.unique(last)) == {0.0, 2.0}
    np.testing.assert_array_equal(waited, 0)


@pytest.mark.parametrize("first", [1.7e9, 1e6])
def test_times_on_another_scale_than_the_first_one_are_summed_exactly(first):
    elapsed = np.array([[first, 0.5, 0.5, 0.5, 0.25, 0.5]], "float32")
    mask = np.array([[True, True, False, True, False, True]])
    forward = np.array(elapsed_in_order(elapsed, mask, False))
    assert forward.dtype == np.float32
    np.testing.assert_allclose(forward[mask][1:], [0.5, 1.0, 0.75], rtol=1e-6)


@pytest.mark.parametrize("mean", [0.1, [0.1, -0.3]])
def test_in_float64_the_mean_is_the_number_itself(mean):
    cell = create("gru-d", 3, mean=mean, dtype="float64")
    cell.build((None, 5))
    states = cell.get_initial_state(1)
    np.testing.assert_array_equal(states[1], np.full((1, 2), mean))
    # Without values and without decay weights, what a step reads is the mean.
    cell.set_weights([np.zeros(w.shape) if w.ndim else w for w in cell.get_weights()])
    cell.kernel.assign(np.eye(2, 9, 6))
    cell.input_decay_bias.assign([99.0, 99.0])
    h, _ = cell(np.zeros((1, 5)), states)
    np.testing.assert_allclose(h[0, :2], np.tanh(np.full(2, mean)) / 2, rtol=1e-14)
