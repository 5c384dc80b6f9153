"""The fast form of linear, diagonal, complex recurrences against one step at a time."""

import numpy as np
import pytest
import tensorflow as tf
from cell_cases import BATCH, MASKS, UNITS, Case, X, error, initial_states, recurrent

from seqzoo.cells import Recurrent, create
from seqzoo.cells.engine import scan
from seqzoo.cells.parallel.s5 import hippo


@pytest.fixture(scope="module")
def cell():
    return Case("s5", {"state_pairs": 3}).make()


def results_and_gradients(layer, x, states, mask):
    x, states = tf.constant(x), [tf.constant(state) for state in states]
    with tf.GradientTape() as tape:
        tape.watch([x, states])
        results = list(layer(x, initial_state=states, mask=mask))
        rng = np.random.default_rng(0)
        loss = tf.add_n([tf.reduce_sum(r * rng.normal(size=r.shape)) for r in results])
    weights = [weight.value for weight in layer.trainable_variables]
    return results, tape.gradient(loss, [x, *states, *weights])


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("options", [{"return_sequences": True}, {"go_backwards": True}], ids=str)
def test_equals_the_step_form_under_masks(cell, mask, options):
    ways = [recurrent(cell, return_state=True, fast=fast, **options) for fast in (True, False)]
    assert ways[0].execution_path().startswith("Runs the fast scan")
    states = initial_states(cell)
    ours, theirs = (results_and_gradients(way, X, states, MASKS[mask]) for way in ways)
    for a, b in zip([*ours[0], *ours[1]], [*theirs[0], *theirs[1]], strict=True):
        assert (a is None) == (b is None)
        if b is not None:
            assert error(a, b) < 1e-10


def test_a_batch_in_pieces_and_a_graph_of_free_shapes(cell, monkeypatch):
    monkeypatch.setattr(scan, "cores", lambda: 2)
    x = np.random.default_rng(1).normal(size=(17, *X.shape[1:]))
    layer = recurrent(cell, return_sequences=True)
    traced = tf.function(
        layer, input_signature=[tf.TensorSpec((None, None, X.shape[2]), tf.float64)]
    )
    expected = recurrent(cell, return_sequences=True, fast=False)(x)
    assert error(layer(x), expected) < 1e-12
    assert error(traced(x), expected) < 1e-12


def test_one_step_at_a_time_is_the_whole_sequence(cell):
    whole = recurrent(cell, return_sequences=True)(X)
    layer, states = recurrent(cell, return_state=True), None
    for t in range(X.shape[1]):
        output, *states = layer(X[:, t : t + 1], initial_state=states)
        assert error(output, whole[:, t]) < 1e-12


def test_the_loop_forgets_no_output_but_the_state(cell):
    """y of the states before plays no part, but for rows that are all padding."""
    states = initial_states(cell)
    layer = recurrent(cell)
    other = [states[0] + 1, *states[1:]]
    assert error(layer(X, initial_state=states), layer(X, initial_state=other)) == 0
    assert layer(X, initial_state=states).shape == (BATCH, UNITS)


def test_s5_starts_at_hippo_and_is_stable():
    eigenvalues, vectors = hippo(8)
    n = np.arange(8)
    root = np.sqrt(2 * n + 1)
    legs = -np.tril(np.outer(root, root), -1) - np.diag(n + 1.0)
    normal = legs + np.outer(root, root) / 2  # plus the rank-one part
    whole = vectors @ np.diag(eigenvalues) @ vectors.conj().T
    np.testing.assert_allclose(2 * whole.real, normal, atol=1e-9)
    cell = create("s5", 16, seed=1)
    cell.build((None, 4))
    real, imaginary = (np.array(each) for each in cell.coefficients())
    assert (np.hypot(real, imaginary) < 1).all()
    for options, name in (({"state_pairs": 0}, "state_pairs"), ({"minimum_step": 0}, "minimum")):
        with pytest.raises(ValueError, match=f"`{name}"):
            create("s5", 16, **options)


@pytest.mark.parametrize("name", ["lru", "s5"])
def test_all_weights_are_read(name: str) -> None:
    cell = create(name, 4)
    x = tf.random.stateless_normal((2, 3, 5), (0, 1))
    layer = Recurrent(cell)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer(x))
    gradients = tape.gradient(total, [weight.value for weight in cell.trainable_variables])
    assert all(gradient is not None for gradient in gradients)


@pytest.mark.parametrize("fast", [True, pytest.param(False, marks=pytest.mark.slow)])
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize(
    "name, options", [("lru", {"minimum": 0.99, "maximum": 0.9999}), ("s5", {})]
)
def test_a_long_memory_in_half_precision(name: str, options: dict, policy: str, fast: bool) -> None:
    """Rounded to half precision, some coefficients are above one: states would grow."""
    x = np.random.default_rng(0).normal(size=(2, 1000, 4)).astype("float32")

    def results(layer: Recurrent) -> list:
        with tf.GradientTape() as tape:
            outputs = tf.cast(layer(x), "float32")
            loss = tf.reduce_mean(outputs**2)
        return [outputs, *tape.gradient(loss, [weight.value for weight in layer.weights])]

    exact = Recurrent(create(name, 64, seed=1, **options), return_sequences=True)
    expected = results(exact)
    half = Recurrent(
        create(name, 64, dtype=policy, **options), return_sequences=True, fast=fast, dtype=policy
    )
    half.build(x.shape)
    half.set_weights(exact.get_weights())
    for ours, theirs in zip(results(half), expected, strict=True):
        assert tf.norm(ours - theirs) < (0.05 if fast else 0.2) * tf.norm(theirs)
