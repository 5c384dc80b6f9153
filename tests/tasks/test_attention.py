"""Attention against NumPy, one step and many, masks, precision and saving."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqzoo.tasks.layers.attention import Attention

BATCH, STEPS, SOURCE, UNITS, FEATURES, HIDDEN = 4, 3, 6, 5, 2, 7
LENGTHS = np.array([6, 2, 0, 5])
MASK = np.arange(SOURCE) < LENGTHS[:, None]
MASK[3, 1] = False  # a gap
CASES = [("additive", HIDDEN), ("additive", None), ("multiplicative", None)]

every_case = pytest.mark.parametrize("kind, units", CASES, ids=str)


def inputs() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(4)
    return random.normal(size=(BATCH, STEPS, UNITS)), random.normal(size=(BATCH, SOURCE, FEATURES))


def make(kind: str, units: int | None, dtype: str = "float64") -> Attention:
    """A layer with random weights."""
    layer = Attention(kind, units, dtype=dtype)
    layer.build((None, None, UNITS), (None, None, FEATURES))
    random = np.random.default_rng(9)
    layer.set_weights([random.normal(0, 1, w.shape) for w in layer.get_weights()])
    return layer


def oracle(
    layer: Attention, queries: np.ndarray, memory: np.ndarray, mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The papers' equations, for one query and one memory at a time."""
    named = {w.name: np.array(w, np.float64) for w in layer.weights}
    u = named["memory_kernel"].T
    weights = np.zeros((len(queries), queries.shape[1], memory.shape[1]))
    context = np.zeros((*weights.shape[:2], memory.shape[2]))
    for row, step in np.ndindex(*weights.shape[:2]):
        query, valid = queries[row, step], np.flatnonzero(mask[row])
        scores = []
        for m in memory[row, valid]:
            if layer.kind == "multiplicative":
                scores.append(query @ u @ m)
            else:
                v, w = named["score_kernel"][:, 0], named["query_kernel"].T
                scores.append(v @ np.tanh(w @ query + u @ m))
        exponents = np.exp(scores)
        weights[row, step, valid] = exponents / exponents.sum()
        context[row, step] = weights[row, step] @ memory[row]
    return context, weights


@every_case
def test_equals_its_equations(kind: str, units: int | None) -> None:
    layer, (queries, memory) = make(kind, units), inputs()
    for mask in (MASK, None):
        seen = np.ones_like(MASK) if mask is None else mask
        expected = oracle(layer, queries, memory, seen)
        for actual, right in zip(layer(queries, memory, mask), expected, strict=True):
            np.testing.assert_allclose(actual, right, atol=1e-13)
    assert layer.get_weights()[0].shape == (FEATURES, units or UNITS)


@every_case
def test_one_step_with_precomputed_keys_is_a_step_of_many(kind: str, units: int | None) -> None:
    layer, (queries, memory) = make(kind, units), inputs()
    context, weights = layer(queries, memory, MASK)

    @tf.function(autograph=False)
    def decode(memory: Any) -> Any:
        """A decoder's loop: one query at a time, of a length the graph does not know."""
        keys = layer.keys(memory)
        looked = tf.TensorArray(tf.float64, STEPS)

        def body(step: Any, looked: Any) -> Any:
            query = tf.constant(queries)[:, step : step + 1]
            query = tf.ensure_shape(query, (BATCH, 1, UNITS))
            seen, _ = layer(query, memory, MASK, keys=keys)
            return step + 1, looked.write(step, seen[:, 0])

        _, looked = tf.while_loop(lambda step, _: step < STEPS, body, (0, looked))
        return tf.transpose(looked.stack(), [1, 0, 2])

    np.testing.assert_allclose(decode(tf.constant(memory)), context, atol=1e-13)
    for step in range(STEPS):
        one = layer(queries[:, step : step + 1], memory, MASK, keys=layer.keys(memory))
        np.testing.assert_allclose(one[1][:, 0], weights[:, step], atol=1e-13)


@every_case
@pytest.mark.parametrize("steps", [1, STEPS])
def test_gradients_are_those_of_finite_differences(
    kind: str, units: int | None, steps: int
) -> None:
    layer, (queries, memory) = make(kind, units), inputs()
    queries = queries[:, :steps]
    random = np.random.default_rng(1)
    wanted = random.normal(size=(BATCH, steps, FEATURES))

    @tf.function(autograph=False)
    def loss_and_gradients(queries: Any, memory: Any) -> Any:
        values = [queries, memory, *(weight.value for weight in layer.weights)]
        with tf.GradientTape() as tape:
            tape.watch(values)
            loss = tf.reduce_sum(wanted * layer(queries, memory, MASK)[0])
        return loss, tape.gradient(loss, values)

    def loss(values: list) -> float:
        layer.set_weights(values[2:])
        return float(loss_and_gradients(tf.constant(values[0]), tf.constant(values[1]))[0])

    values = [queries, memory, *layer.get_weights()]
    _, gradients = loss_and_gradients(tf.constant(queries), tf.constant(memory))
    for index, gradient in enumerate(gradients):
        direction = random.normal(size=values[index].shape)
        ends = []
        for sign in (1, -1):
            moved = list(values)
            moved[index] = values[index] + sign * 1e-5 * direction
            ends.append(loss(moved))
        assert np.sum(gradient * direction) == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6)


@every_case
def test_masked_steps_do_not_matter(kind: str, units: int | None) -> None:
    layer, (queries, memory) = make(kind, units), inputs()
    spoilt = tf.constant(np.where(MASK[:, :, None], memory, 1e6))
    with tf.GradientTape() as tape:
        tape.watch(spoilt)
        context, weights = layer(queries, spoilt, MASK)
    expected, _ = layer(queries, memory, MASK)
    np.testing.assert_allclose(context, expected, atol=1e-13)
    gradient = tape.gradient(context, spoilt).numpy()
    assert np.isfinite(gradient).all() and not gradient[~MASK].any() and gradient[MASK].all()
    sums = weights.numpy().sum(-1)
    np.testing.assert_allclose(sums, np.broadcast_to(MASK.any(axis=1, keepdims=True), sums.shape))
    assert not weights.numpy()[2].any() and not context.numpy()[2].any()


@every_case
def test_a_memory_without_a_step(kind: str, units: int | None) -> None:
    layer, (queries, memory) = make(kind, units), inputs()
    context, weights = layer(queries, memory[:, :0], MASK[:, :0])
    assert weights.shape == (BATCH, STEPS, 0) and context.numpy().tolist() == (
        np.zeros((BATCH, STEPS, FEATURES)).tolist()
    )


@every_case
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(kind: str, units: int | None, policy: str) -> None:
    """Outputs of the policy's type, close to the exact ones, with scores beyond half precision."""
    layer, exact = make(kind, units, policy), make(kind, units)
    queries, memory = (tf.cast(x, layer.compute_dtype) for x in inputs())
    expected = exact(tf.cast(queries, tf.float64), tf.cast(memory, tf.float64), MASK)
    actual = layer(queries, memory, MASK, keys=layer.keys(memory))
    for a, b in zip(actual, expected, strict=True):
        assert a.dtype == layer.compute_dtype
        np.testing.assert_allclose(tf.cast(a, tf.float64), b, atol=0.1 if "bf" in policy else 0.01)
    large = layer(queries * 200, memory * 200, MASK)[0]
    assert np.isfinite(tf.cast(large, tf.float32)).all()


def test_scores_above_the_range_of_float16() -> None:
    layer = Attention("multiplicative", dtype="mixed_float16")
    layer.build((None, None, 4), (None, None, 4))
    layer.set_weights([np.eye(4)])
    memory = np.array([[[200.0] * 4, [150.0] * 4, [200.0, 200.0, 200.0, 200.5]]], "float16")
    context, weights = layer(memory[:, :1], memory)  # scores 160,000, 120,000 and 160,100
    assert weights.numpy().tolist() == [[[0, 0, 1]]]
    assert context.numpy().tolist() == [[[200, 200, 200, 200.5]]]


def test_many_steps_are_never_in_memory_at_once() -> None:
    """No tensor of a graph, its gradient included, is as large as all steps by all sources."""
    layer = make("additive", HIDDEN, "float32")

    @tf.function(autograph=False)
    def train(queries: Any, memory: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch([queries, memory])
            loss = tf.reduce_sum(layer(queries, memory)[0])
        return tape.gradient(loss, [queries, memory])

    specs = [tf.TensorSpec((2, 11, UNITS)), tf.TensorSpec((2, 13, FEATURES))]
    concrete = train.get_concrete_function(*specs)
    graphs = [concrete.graph]
    graphs += [f.graph for f in concrete.graph._functions.values() if hasattr(f, "graph")]
    largest = 0
    for graph in graphs:
        for operation in graph.get_operations():
            for output in operation.outputs:
                if output.shape.is_fully_defined():
                    largest = max(largest, output.shape.num_elements())
    assert 0 < largest < 2 * 11 * 13 * HIDDEN


@every_case
def test_saved_and_exported(kind: str, units: int | None, tmp_path) -> None:
    sources = [
        keras.Input((None, UNITS)),
        keras.Input((None, FEATURES)),
        keras.Input((None,), dtype="bool"),
    ]
    model = keras.Model(sources, Attention(kind, units, kernel_initializer="he_normal")(*sources))
    assert [x.shape for x in model.outputs] == [(None, None, FEATURES), (None, None, None)]
    queries, memory = inputs()
    fed = [tf.constant(queries, tf.float32), tf.constant(memory, tf.float32), tf.constant(MASK)]
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    model.export(tmp_path / "exported", verbose=False)
    loaded = tf.saved_model.load(tmp_path / "exported")
    for other in (again(fed), loaded.serve(fed)):
        for a, b in zip(other, model(fed), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)
    assert again.layers[-1].get_config() == model.layers[-1].get_config()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            ("additiv",),
            "`kind` must be one of 'additive', 'multiplicative', got 'additiv'; did you",
        ),
        (("additive", 0), "`units` must be .* got 0 for 'additive'"),
        (("multiplicative", 3), "`units` must be .* got 3 for 'multiplicative'"),
    ],
)
def test_wrong_arguments(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Attention(*arguments)


def test_weights_of_equal_shape_start_with_different_values() -> None:
    layer = Attention("additive")
    layer.build((None, None, UNITS), (None, None, UNITS))
    assert np.abs(layer.query_kernel - layer.memory_kernel).max() > 0.1
