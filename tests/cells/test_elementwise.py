"""The loops of cells without a recurrent product: chunks of time, a single feature projected."""

import numpy as np
import pytest
import tensorflow as tf

from seqzoo.cells import Recurrent, create
from seqzoo.cells.engine import elementwise_loops, scan
from seqzoo.cells.engine.linear_scans import scan_back
from seqzoo.cells.engine.step_gradients import copied_gates


# Two pieces of a batch are of different sizes once: each size is compiled separately.
@pytest.mark.parametrize(
    "name, batch, features, masked",
    [
        ("feed-forward", 17, 1, True),
        ("feed-forward", 16, 3, False),
        ("rg-lru", 16, 1, True),
        ("sru", 16, 1, True),
        ("qrnn", 16, 3, True),
        ("qrnn", 16, 1, False),
    ],
)
def test_a_batch_in_pieces_and_time_in_chunks_equal_the_step_form(
    name, batch, features, masked, monkeypatch
):
    monkeypatch.setattr(scan, "cores", lambda: 2)
    monkeypatch.setattr(elementwise_loops, "MAX_BACKWARD_CHUNK", 4)
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(batch, 9, features)))
    mask = rng.random((batch, 9)) < 0.7 if masked else None
    cell = create(name, 8, bias_initializer="random_normal", seed=1, dtype="float64")
    cell.build((None, features))
    assert scan.loops_of(cell) is elementwise_loops
    states = [tf.constant(rng.normal(size=(batch, 8))) for _ in cell.get_initial_state(1)]
    found = []
    for fast in (True, False):
        layer = Recurrent(
            cell, return_sequences=True, return_state=True, fast=fast, dtype="float64"
        )
        with tf.GradientTape() as tape:
            tape.watch([x, states])
            h, *last = layer(x, mask=mask, initial_state=states)
            numbers = np.random.default_rng(1)
            loss = tf.add_n(
                [tf.reduce_sum(each * numbers.normal(size=each.shape)) for each in (h, *last)]
            )
        weights = [weight.value for weight in cell.trainable_variables]
        found.append(
            [h, *tape.gradient(loss, [x, *states, *weights], unconnected_gradients="zero")]
        )
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("length", [37, 56])  # a prime number has no chunks
def test_chunks_equal_the_recurrence(length):
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-1, 1, (2, 3, length, 5))
    s, expected = np.zeros((3, 5)), np.zeros((3, length, 5))
    for t in reversed(range(length)):
        s = expected[:, t] = a[:, t] * s + b[:, t]
    found = tf.function(scan_back, jit_compile=True)(tf.constant(a), tf.constant(b))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_states_that_copy_a_gate_are_found():
    assert copied_gates(create("qrnn", 4)) == {2: 3, 3: 4, 4: 5}
    assert copied_gates(create("feed-forward", 4, window=3)) == {2: 2}
    assert copied_gates(create("mingru", 4)) == {}


def test_states_are_ordered_by_dependence():
    one, none = object(), None
    order = elementwise_loops.dependence_order
    assert order([[none, one], [none, one]]) == [0, 1]
    assert order([[one, none], [one, one]]) == [1, 0]
    assert order([[one, one], [one, one]]) is None


def test_a_step_has_few_numbers_in_each_piece(monkeypatch):
    monkeypatch.setattr(scan, "cores", lambda: 2)
    assert [scan.pieces_of(32, units) for units in (None, 64, 128, 512)] == [2, 2, 4, 16]
    assert scan.pieces_of(8, 128) == 1
