"""Gradients through time and Jacobians: against slow, obvious computations and known answers."""

import functools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from cell_names import FRAMES, each_cell

import seqzoo.cells as cells
from seqzoo.tasks.inspection.gradients import decay, gradient_flow
from seqzoo.tasks.inspection.jacobians import flow_of, jacobian_flow, step_jacobians
from seqzoo.tasks.inspection.trace import trace

ZERO = "vanishing: the norm is zero from {} back on"
X = np.random.default_rng(0).normal(size=(2, 6, 3))


def _layer(name: str, units: int = 4, **options) -> cells.Recurrent:
    """A layer in float64 with random weights, biases included."""
    cell = cells.create(name, units, dtype="float64", **options)
    layer = cells.Recurrent(cell, return_sequences=True, dtype="float64")
    layer(_inputs(layer))
    random = np.random.default_rng(1)
    layer.set_weights([random.normal(0, 0.5, w.shape) for w in layer.get_weights()])
    return layer


def _inputs(layer: cells.Recurrent):
    """`X`, with the time between its steps where the cell takes it."""
    if not layer.cell.takes_time:
        return X
    return X, np.random.default_rng(7).uniform(0.1, 2, X.shape[:2])


def _linear(matrix: np.ndarray) -> cells.Recurrent:
    """h = x + h A: a recurrence whose every Jacobian is the transpose of A."""
    units = len(matrix)
    cell = cells.create("vanilla", units, activation="linear", use_bias=False, dtype="float64")
    layer = cells.Recurrent(cell, return_sequences=True, dtype="float64")
    layer.build((None, None, units))
    layer.set_weights([np.eye(units), matrix])
    return layer


def _rotation(units: int) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(3).normal(size=(units, units)))[0]


def _last(outputs):
    return tf.reduce_sum(tf.square(outputs[0, -1]))


def _slow_gradients(layer: cells.Recurrent, x: np.ndarray) -> list[list[np.ndarray]]:
    """d loss / d state before each step: the rest of the sequence run again from each state."""
    cell = layer.cell
    states = [tf.zeros((1, size), tf.float64) for size in np.atleast_1d(cell.state_size)]
    before = []
    for t in range(x.shape[1]):
        before.append(states)
        _, states = cell(x[:1, t], states)
    results = []
    for t, states in enumerate(before):
        with tf.GradientTape() as tape:
            tape.watch(states)
            h = list(states)
            for later in range(t, x.shape[1]):
                output, h = cell(x[:1, later], h)
            loss = tf.reduce_sum(tf.square(output[0]))
        results.append([item.numpy()[0] for item in tape.gradient(loss, states)])
    return results


@pytest.mark.parametrize("name", ["vanilla", "lstm", "gru", "projection-lstm"])
def test_gradients_equal_those_of_a_loop_of_tapes(name) -> None:
    layer = _layer(name)
    (layer_trace,) = trace(layer, lambda: layer(X), _last).layers
    for t, expected in enumerate(_slow_gradients(layer, X)):
        for state, value in enumerate(expected):
            np.testing.assert_allclose(
                layer_trace.gradients[state][0, t], value, rtol=1e-10, atol=1e-14
            )
    assert not layer_trace.gradients[0][1].any()  # the loss is only of the first row


@pytest.mark.parametrize("name", ["vanilla", "lstm", "gru", "lmu"])
def test_jacobians_equal_finite_differences(name) -> None:
    layer = _layer(name)
    (layer_trace,) = trace(layer, lambda: layer(X)).layers
    result = step_jacobians(layer.cell, layer_trace.inputs[0], layer_trace.state()[:-1])
    sizes = np.atleast_1d(layer.cell.state_size)

    def after(state: np.ndarray, t: int) -> np.ndarray:
        parts = np.split(state[None], np.cumsum(sizes)[:-1], axis=-1)
        return np.concatenate(layer.cell(X[:1, t], [tf.constant(p) for p in parts])[1], -1)[0]

    for t in (0, 3):
        state = layer_trace.state()[t]
        for j, move in enumerate(np.eye(len(state)) * 1e-6):
            slope = (after(state + move, t) - after(state - move, t)) / 2e-6
            np.testing.assert_allclose(result[t][:, j], slope, atol=1e-8)


QUICK = ["lstm", "gru", "gated", "cornn", "slstm", "qrnn"]


# gru-d takes pairs of values and marks.
@pytest.mark.parametrize("name", each_cell([*QUICK, "zoneout"], [*FRAMES, "gru-d"]))
def test_gradients_of_every_cell_are_products_of_its_jacobians(name) -> None:
    layer = _layer(name)
    x = _inputs(layer)
    outputs = layer(x)
    result = trace(layer, lambda: layer(x), _last)
    np.testing.assert_allclose(result.outputs, outputs, atol=1e-12)
    (layer_trace,) = result.layers
    each = step_jacobians(layer.cell, layer_trace.inputs[0], layer_trace.state()[:-1])
    gradients = np.concatenate([one[0] for one in layer_trace.gradients], -1)
    for t in range(X.shape[1]):
        np.testing.assert_allclose(gradients[t], gradients[t + 1] @ each[t], rtol=1e-9, atol=1e-12)


def test_a_linear_cell_decays_according_to_its_spectrum() -> None:
    layer = _linear(0.8 * _rotation(4))
    x = np.random.default_rng(5).normal(size=(1, 40, 4))
    (flow,) = gradient_flow(trace(layer, lambda: layer(x), _last))
    np.testing.assert_allclose(flow.norms / flow.norms[0], 0.8 ** np.arange(41), rtol=1e-9)
    assert flow.decay.rate == pytest.approx(0.8, rel=1e-9)
    assert flow.decay.half_life == pytest.approx(math.log(0.5) / math.log(0.8), rel=1e-9)
    assert flow.decay.verdict == "vanishing"
    assert list(flow.positions[:2]) == [39, 38] and flow.positions[-1] == -1
    jacobians = jacobian_flow(trace(layer, lambda: layer(x)).layers[0])
    np.testing.assert_allclose(jacobians.largest, 0.8, rtol=1e-9)
    np.testing.assert_allclose(jacobians.radii, 0.8, rtol=1e-9)
    np.testing.assert_allclose(jacobians.products, 0.8 ** np.arange(41), rtol=1e-9)


def test_an_identity_loses_nothing_and_a_growing_one_explodes() -> None:
    x = np.random.default_rng(5).normal(size=(1, 40, 3))
    layer = _linear(np.eye(3))
    (flow,) = gradient_flow(trace(layer, lambda: layer(x), _last))
    assert flow.decay.verdict == "healthy" and flow.decay.half_life == math.inf
    assert flow.decay.rate == 1.0
    layer = _linear(1.25 * _rotation(3))
    (flow,) = gradient_flow(trace(layer, lambda: layer(x), _last))
    assert flow.decay.verdict == "exploding"
    assert flow.decay.half_life == pytest.approx(-math.log(2) / math.log(1.25))


def test_steps_back_are_counted_from_the_step_of_the_loss() -> None:
    layer = _linear(0.5 * np.eye(2))
    x = np.ones((1, 9, 2))
    result = trace(layer, lambda: layer(x), lambda outputs: tf.reduce_sum(outputs[:, 4]))
    (flow,) = gradient_flow(result)
    assert flow.positions.tolist() == [4, 3, 2, 1, 0, -1]
    np.testing.assert_allclose(flow.norms, math.sqrt(2) * 0.5 ** np.arange(6))
    # A layer that runs backwards looks back on what is further right.
    layer.go_backwards = True
    (flow,) = gradient_flow(trace(layer, lambda: layer(x), lambda outputs: outputs[0, 4, 0]))
    assert flow.positions.tolist() == [4, 5, 6, 7, 8, -1]


def test_both_directions_have_names_and_the_model_is_unchanged() -> None:
    layer = cells.Bidirectional(cells.create("lstm", 4, dtype="float64"), dtype="float64")
    before = layer(X)
    result = trace(layer, lambda: layer(X), lambda outputs: outputs[0, 0])
    assert [item.name for item in result.layers] == ["layer 1 forward", "layer 1 backward"]
    assert result["layer 1 backward"].positions.tolist() == [5, 4, 3, 2, 1, 0]
    # Its loss is of a forward unit.
    assert [item.name for item in gradient_flow(result)] == ["layer 1 forward"]
    assert "inner_loop" not in vars(layer.forward_layer)
    np.testing.assert_array_equal(layer(X), before)


def test_masked_steps_pass_on_states_and_gradients() -> None:
    layer = _layer("lstm")
    mask = np.array([[1, 1, 1, 0, 0, 0], [0, 1, 1, 1, 0, 1]], bool)
    result = trace(layer, lambda: layer(X, mask=mask), _last)
    np.testing.assert_allclose(result.outputs, layer(X, mask=mask), atol=1e-12)
    short = trace(layer, lambda: layer(X[:1, :3]), _last)
    for masked, gradient in zip(result.layers[0].gradients, short.layers[0].gradients, strict=True):
        np.testing.assert_allclose(masked[0, :4], gradient[0], atol=1e-12)


def test_cells_of_keras_and_stacks_can_be_traced() -> None:
    import keras

    stack = [keras.layers.LSTMCell(3), cells.create("gru", 2)]
    layer = cells.Recurrent(stack, return_sequences=True)
    x = X.astype("float32")
    expected = layer(x)
    result = trace(layer, lambda: layer(x), lambda outputs: outputs[0, -1, 0])
    np.testing.assert_allclose(result.outputs, expected, atol=1e-6)
    (layer_trace,) = result.layers
    assert [one.shape for one in layer_trace.states] == [(2, 7, 3), (2, 7, 3), (2, 7, 2)]
    assert jacobian_flow(layer_trace).products.shape == (7,)


def test_products_of_a_thousand_steps_do_not_underflow() -> None:
    result = flow_of(np.full((1000, 1, 1), 0.6))
    np.testing.assert_allclose(np.log(result.products), np.arange(1001) * math.log(0.6), atol=1e-6)
    assert result.decay.half_life == pytest.approx(math.log(0.5) / math.log(0.6))


def test_norms_that_are_zero_or_not_finite_have_a_verdict() -> None:
    assert decay(np.array([1.0, 0.0, 0.0])).verdict == "vanishing"
    assert decay(np.array([1.0, 5.0, np.inf])).verdict == "exploding"
    assert decay(np.array([1.0])).verdict == "healthy"


def test_norms_without_a_rate_have_a_sentence_of_their_own() -> None:
    assert decay(np.array([1.0, np.inf])).sentence() == "exploding: the norm is not finite"
    assert decay(np.array([1.0, 0.0, 0.0])).sentence() == ZERO.format("1 step")
    assert decay(np.array([1.0, 0.9, 0.9, 0.0])).sentence() == ZERO.format("3 steps")
    every = "vanishing: the norm halves every step back, over 20 steps"
    assert decay(0.5 ** np.arange(21)).sentence() == every
    few = "healthy: the norm halves every step back, over only 4 steps"
    assert decay(0.5 ** np.arange(5)).sentence() == few
    assert decay(0.5 ** np.arange(8)).sentence().startswith("vanishing")
    assert decay(0.9 ** np.arange(11)).sentence().endswith("over 10 steps")


def test_zeros_by_underflow_are_no_zeros() -> None:
    result = decay(np.float32(0.1) ** np.arange(60, dtype=np.float32))
    assert result.zero_from is None and result.half_life == pytest.approx(math.log10(2), rel=0.01)


@pytest.mark.parametrize("scale", [0.1, 10.0])
def test_rates_of_long_products_are_exact_beyond_the_range_of_numbers(scale) -> None:
    result = flow_of(np.full((1000, 1, 1), scale))
    assert result.decay.rate == pytest.approx(scale) and np.isfinite(result.products).all()
    assert flow_of(np.zeros((3, 1, 1))).decay.sentence() == ZERO.format("1 step")


def test_finite_gradients_beyond_the_range_of_squares_have_their_norm() -> None:
    for factor, verdict in ((1e3, "exploding"), (1e-3, "vanishing")):
        layer = _linear(np.array([[factor]]))
        x = np.full((1, 60, 1), factor**-60)
        traced = trace(layer, functools.partial(layer, x), lambda y: y[0, -1, 0])
        (flow,) = gradient_flow(traced)
        np.testing.assert_allclose(flow.norms, factor ** np.arange(61.0), rtol=1e-9)
        assert flow.decay.verdict == verdict
        assert flow.decay.rate == pytest.approx(factor)


def test_small_gradients_in_half_precision_are_measured() -> None:
    policy = keras.dtype_policies.DTypePolicy("mixed_float16")
    cell = cells.create("gru", 4, dtype=policy)
    layer = cells.Recurrent(cell, return_sequences=True, dtype=policy)
    traced = trace(
        layer,
        lambda: layer(X.astype(np.float32)),
        lambda y: 1e-6 * tf.reduce_sum(tf.cast(y[0, -1], tf.float32)),
    )
    (flow,) = gradient_flow(traced)
    assert 0 < flow.norms[0] < 1e-5
    assert np.isfinite(flow.carried).all()


def test_direct_dependence_on_earlier_steps_is_no_growth() -> None:
    layer = _linear(0.7 * np.eye(2))
    x = np.ones((1, 9, 2))
    weights = tf.constant(10.0 ** -np.arange(9.0))[:, None]  # a trickle at the last step

    def loss(outputs):
        return tf.reduce_sum(outputs[0] * weights)

    traced = trace(layer, lambda: layer(x), loss)
    (flow,) = gradient_flow(traced)
    assert flow.norms[8] > 1e7 * flow.norms[0] and flow.direct
    np.testing.assert_allclose(flow.carried / flow.carried[0], 0.7 ** np.arange(10))
    assert flow.decay.rate == pytest.approx(0.7)
    assert flow.sentence() == (
        "healthy: the norm halves every 1.94 steps back, over only 9 steps; the loss also "
        "depends on earlier steps in other ways"
    )
    (flow,) = gradient_flow(trace(layer, lambda: layer(x), _last))
    assert not flow.direct and flow.sentence() == flow.decay.sentence()


def test_each_row_has_a_chosen_step_of_its_own() -> None:
    layer = _layer("lstm")

    def loss(outputs):
        return tf.reduce_sum(outputs[0, 3]) + 1e-3 * tf.reduce_sum(outputs[1, 1:5])

    together = trace(layer, lambda: layer(X), loss)
    for row, chosen in enumerate((3, 4)):
        alone = trace(
            layer, lambda t=chosen: layer(X), lambda y, r=row, t=chosen: tf.reduce_sum(y[r, t])
        )
        (expected,), (flow,) = gradient_flow(alone, row), gradient_flow(together, row)
        assert flow.positions[0] == chosen and flow.direct == bool(row)
        scale = flow.carried[0] / expected.norms[0]
        np.testing.assert_allclose(flow.carried, scale * expected.norms, rtol=1e-9)
        row_alone = gradient_flow(together.of_row(row))[0]
        np.testing.assert_array_equal(row_alone.carried, flow.carried)
