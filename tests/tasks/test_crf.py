"""The CRF against enumeration of all paths, with masks, constraints and every precision."""

import itertools
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from crf_cases import ALLOWED, EMISSIONS, GOLD, LENGTHS, PATHS_ALLOWED, TAGS, TIME, make

from seqzoo.tasks.layers.crf import CRF, FORBIDDEN


def paths(layer: CRF, emissions: np.ndarray, allowed: Any) -> dict[tuple, float]:
    """Score of every path that is allowed, from the definition."""
    transitions, start, end = (np.array(w, np.float64) for w in layer.get_weights())
    scores = {}
    for path in itertools.product(range(layer.tags), repeat=len(emissions)):
        if allowed:
            moves, starts, ends = allowed
            inner = all(moves[i][j] for i, j in itertools.pairwise(path))
            if not (inner and starts[path[0]] and ends[path[-1]]):
                continue
        score = start[path[0]] + end[path[-1]]
        score += sum(emissions[step, tag] for step, tag in enumerate(path))
        scores[path] = score + sum(transitions[i, j] for i, j in itertools.pairwise(path))
    return scores


def log_total(scores: dict[tuple, float]) -> float:
    return float(np.logaddexp.reduce(list(scores.values())))


def graph(function: Any) -> Any:
    """As a graph whose batch and time are free."""
    layer = function.__self__

    @tf.function(
        autograph=False,
        input_signature=[
            tf.TensorSpec((None, None, layer.tags), layer.dtype),
            tf.TensorSpec((None, None), tf.int32),
            tf.TensorSpec((None,), tf.int32),
        ],
    )
    def run(emissions: Any, tags: Any, lengths: Any) -> Any:
        inputs = (emissions, tags, lengths) if "likelihood" in function.__name__ else None
        return function(*(inputs or (emissions, lengths)))

    def call(emissions: Any, *others: Any) -> Any:
        tags = others[0] if len(others) == 2 else np.zeros(emissions.shape[:2])
        return run(emissions, tf.cast(tags, tf.int32), tf.cast(others[-1], tf.int32))

    return call


@pytest.fixture(params=["eager", "graph"])
def way(request: pytest.FixtureRequest) -> Any:
    return graph if request.param == "graph" else lambda function: function


@pytest.mark.parametrize("allowed", [None, ALLOWED], ids=["free", "constrained"])
def test_equals_a_sum_over_all_paths(allowed: Any, way: Any) -> None:
    layer = make(allowed)
    gold = GOLD if allowed is None else PATHS_ALLOWED
    likelihood = way(layer.log_likelihood)(EMISSIONS, gold, LENGTHS).numpy()
    tags, scores = (x.numpy() for x in way(layer.decode)(EMISSIONS, LENGTHS))
    marginals = way(layer.marginals)(EMISSIONS, LENGTHS).numpy()
    for row, length in enumerate(LENGTHS):
        assert not marginals[row, length:].any() and not tags[row, length:].any()
        if length == 0:
            assert likelihood[row] == scores[row] == 0
            continue
        every = paths(layer, EMISSIONS[row, :length], allowed)
        total = log_total(every)
        assert likelihood[row] == pytest.approx(every[tuple(gold[row, :length])] - total, abs=1e-12)
        best = max(every, key=lambda path: every[path])
        assert tuple(tags[row, :length]) == best
        assert scores[row] == pytest.approx(every[best], abs=1e-12)
        expected = np.zeros((length, TAGS))
        for path, score in every.items():
            expected[range(length), path] += np.exp(score - total)
        np.testing.assert_allclose(marginals[row, :length], expected, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("allowed", [None, ALLOWED], ids=["free", "constrained"])
@pytest.mark.parametrize("count", [3, 40])
def test_the_best_paths_of_all(allowed: Any, count: int) -> None:
    layer = make(allowed)

    @tf.function(
        autograph=False,
        input_signature=[
            tf.TensorSpec((None, None, TAGS), tf.float64),
            tf.TensorSpec((None,), tf.int32),
        ],
    )
    def run(emissions: Any, lengths: Any) -> Any:
        return layer.n_best(emissions, lengths, count)

    tags, scores = (x.numpy() for x in run(EMISSIONS, tf.cast(LENGTHS, tf.int32)))
    assert tags.shape == (len(LENGTHS), count, TIME)
    for row, length in enumerate(LENGTHS):
        every = paths(layer, EMISSIONS[row, :length], allowed) if length else {(): 0.0}
        best = sorted(every, key=lambda path: -every[path])[:count]
        assert [tuple(item) for item in tags[row, : len(best), :length]] == best
        np.testing.assert_allclose(scores[row, : len(best)], [every[item] for item in best])
        assert (scores[row, len(best) :] == FORBIDDEN).all()
        assert not tags[row, :, length:].any()


@pytest.mark.parametrize("allowed", [None, ALLOWED], ids=["free", "constrained"])
@pytest.mark.parametrize("in_graph", [False, True], ids=["eager", "graph"])
def test_gradient_is_the_given_tags_minus_the_marginals(allowed: Any, in_graph: bool) -> None:
    layer = make(allowed)
    gold = GOLD if allowed is None else PATHS_ALLOWED

    def gradients(emissions: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(emissions)
            value = layer.log_likelihood(emissions, gold, LENGTHS)
        weights = [weight.value for weight in layer.trainable_weights]
        return tape.gradient(value, [emissions, *weights])

    run = tf.function(gradients, autograph=False) if in_graph else gradients
    d_emissions, d_transitions, d_start, d_end = run(tf.constant(EMISSIONS))
    valid = np.arange(TIME) < LENGTHS[:, None]
    given = np.eye(TAGS)[gold] * valid[:, :, None]
    marginals = layer.marginals(EMISSIONS, LENGTHS).numpy()
    np.testing.assert_allclose(d_emissions, given - marginals, atol=1e-13)
    np.testing.assert_allclose(d_start, (given - marginals)[:, 0].sum(0), atol=1e-13)
    last = np.arange(TIME) == LENGTHS[:, None] - 1
    np.testing.assert_allclose(d_end, (given - marginals)[last].sum(0), atol=1e-13)
    expected = np.zeros((TAGS, TAGS))
    for row, length in enumerate(LENGTHS):
        for i, j in itertools.pairwise(gold[row, :length]):
            expected[i, j] += 1
        every = paths(layer, EMISSIONS[row, :length], allowed) if length else {}
        for path, score in every.items():
            for i, j in itertools.pairwise(path):
                expected[i, j] -= np.exp(score - log_total(every))
    np.testing.assert_allclose(d_transitions, expected, atol=1e-12)


def test_padding_does_not_matter() -> None:
    """Neither its emissions, were they no numbers, nor its tags, nor how much of it there is."""
    layer = make()
    valid = np.arange(TIME + 2) < LENGTHS[:, None]
    wide = np.pad(EMISSIONS, [(0, 0), (0, 2), (0, 0)])
    spoilt = tf.constant(np.where(valid[:, :, None], wide, np.nan))
    tags = np.where(valid, np.pad(GOLD, [(0, 0), (0, 2)]), -100)
    with tf.GradientTape() as tape:
        tape.watch(spoilt)
        value = layer.log_likelihood(spoilt, tags, LENGTHS)
    np.testing.assert_allclose(value, layer.log_likelihood(EMISSIONS, GOLD, LENGTHS), rtol=1e-13)
    gradient = tape.gradient(value, spoilt).numpy()
    assert np.isfinite(gradient).all() and not gradient[~valid].any()
    assert (
        (layer.decode(spoilt, LENGTHS)[0][:, :TIME] == layer.decode(EMISSIONS, LENGTHS)[0])
        .numpy()
        .all()
    )
    marginals = layer.marginals(spoilt, LENGTHS)[:, :TIME]
    np.testing.assert_allclose(marginals, layer.marginals(EMISSIONS, LENGTHS), rtol=1e-13)


def test_a_batch_without_a_step(way: Any) -> None:
    layer = make()
    empty, lengths = np.zeros((2, 0, TAGS)), np.zeros(2, int)
    value = way(layer.log_likelihood)(empty, np.zeros((2, 0), int), lengths)
    tags, scores = way(layer.decode)(empty, lengths)
    assert value.numpy().tolist() == scores.numpy().tolist() == [0, 0]
    assert tags.shape == (2, 0) and way(layer.marginals)(empty, lengths).shape == (2, 0, TAGS)


def test_forbidden_tags_have_no_probability_however_high_their_scores() -> None:
    random = np.random.default_rng(14)
    layer = make(ALLOWED, dtype="float32")
    layer.start.assign([0.0, -400.0, 9000.0])
    layer.transitions.assign([[9000.0, -400.0, 3.0], [9000.0, 0.0, 2.0], [1.0, 9000.0, 0.0]])
    emissions = random.normal(0, 300, (40, 30, TAGS)).astype("float32")
    lengths = random.integers(2, 31, 40)
    tags = layer.decode(emissions, lengths)[0].numpy()
    moves, starts, ends = (np.array(part) for part in ALLOWED)
    for row, length in zip(tags, lengths, strict=True):
        assert (
            starts[row[0]]
            and ends[row[length - 1]]
            and moves[row[: length - 1], row[1:length]].all()
        )
    marginals = layer.marginals(emissions, lengths).numpy()
    assert not marginals[:, 0, 2].any() and not marginals[range(40), lengths - 1, 0].any()
    inside = np.arange(30) < lengths[:, None]
    np.testing.assert_allclose(marginals.sum(-1), inside, atol=1e-5)


def test_forbidden_tags_give_the_lowest_value_and_a_gradient() -> None:
    """It still takes the emissions from what the model expects to the given tags."""
    layer = make(ALLOWED)
    emissions = tf.constant(EMISSIONS[:1])
    with tf.GradientTape() as tape:
        tape.watch(emissions)
        value = layer.log_likelihood(emissions, GOLD[:1], [5])
    assert value.numpy() == [FORBIDDEN]
    gradient = tape.gradient(value, emissions)
    expected = np.eye(TAGS)[GOLD[:1]] - layer.marginals(emissions, [5])
    np.testing.assert_allclose(gradient, expected, atol=1e-13)
    for path in ([2, 0, 1], [1, 2, 0], [0, 0, 1]):  # beginning, end, move
        assert layer.log_likelihood(EMISSIONS[:1, :3], [path], [3]).numpy() == [FORBIDDEN]


def test_no_sequence_of_a_length_is_allowed() -> None:
    """Tag 0 begins, tag 1 ends, so that one step is too few."""
    layer = make(([[True, True], [True, True]], [True, False], [False, True]), tags=2)
    tags, scores = layer.decode(EMISSIONS[:2, :, :2], [1, 2])
    assert scores[0] == FORBIDDEN and scores[1] > FORBIDDEN
    assert tags[1, :2].numpy().tolist() == [0, 1]
    assert np.isfinite(layer.marginals(EMISSIONS[:2, :, :2], [1, 2])).all()
    for tag in (0, 1):
        assert layer.log_likelihood(EMISSIONS[:1, :1, :2], [[tag]], [1]).numpy() == [FORBIDDEN]


def test_long_sequences_keep_their_digits_in_float32() -> None:
    """A model that is sure of its tags: the loss is small, the scores of 600 steps are large."""
    random = np.random.default_rng(17)
    exact, single = make(), make(dtype="float32")
    gold = random.integers(0, TAGS, (2, 600))
    emissions = random.normal(100, 1, (2, 600, TAGS)) + 14 * np.eye(TAGS)[gold]
    lengths = [600, 450]
    rounded = emissions.astype("float32")
    expected = graph(exact.log_likelihood)(rounded, gold, lengths).numpy()
    assert (-0.1 < expected).all() and (expected < -0.001).all()
    # The scores are about 60,000, which float32 represents only to 0.004.
    actual = graph(single.log_likelihood)(rounded, gold, lengths)
    np.testing.assert_allclose(actual, expected, atol=4e-5)
    unsure = random.normal(0, 1, (2, 600, TAGS)).astype("float32")
    marginals = graph(single.marginals)(unsure, lengths)
    np.testing.assert_allclose(marginals, graph(exact.marginals)(unsure, lengths), atol=1e-5)


class Half(keras.layers.Layer):
    """A layer that uses the methods inside its own call."""

    def __init__(self, crf: CRF, **kwargs: Any):
        super().__init__(**kwargs)
        self.crf = crf

    def call(self, emissions: Any) -> Any:
        return self.crf.marginals(emissions, LENGTHS)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16"])
def test_half_precision_is_left_outside(policy: str) -> None:
    layer, exact = make(dtype=policy), make()
    assert {weight.dtype for weight in layer.weights} == {"float32"}
    rounded = tf.cast(EMISSIONS, layer.compute_dtype)
    assert layer(rounded).dtype == tf.float32
    expected = exact.marginals(tf.cast(rounded, tf.float64), LENGTHS)
    for actual in (layer.marginals(rounded, LENGTHS), Half(layer, dtype=policy)(rounded)):
        assert actual.dtype == tf.float32
        np.testing.assert_allclose(actual, expected, atol=1e-6)
    # A float32 that is no float16: the layer must not round what it is given.
    fine = tf.constant([[[1.0001, 7e4, 1e-9]]])
    np.testing.assert_array_equal(layer(fine), fine)


def test_it_learns_transitions_that_emissions_do_not_show() -> None:
    """Tags 0, 1, 2, 0, ... at every step, emissions that only determine the first one."""
    random = np.random.default_rng(21)
    gold = (random.integers(0, TAGS, (64, 1)) + np.arange(6)) % TAGS
    emissions = np.zeros((64, 6, TAGS), "float32")
    emissions[:, 0] = 3 * np.eye(TAGS)[gold[:, 0]]
    layer, lengths = CRF(TAGS), np.full(64, 6)
    optimizer = keras.optimizers.Adam(0.2)

    @tf.function(autograph=False)
    def train() -> Any:
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(layer.log_likelihood(emissions, gold, lengths))
        weights = layer.trainable_variables
        optimizer.apply(tape.gradient(loss, [weight.value for weight in weights]), weights)
        return loss

    first = float(train())
    for _ in range(60):
        last = float(train())
    assert last < 0.2 < 5 < first
    assert (layer.decode(emissions, lengths)[0].numpy() == gold).all()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((0,), "`tags` must be a positive integer, got 0"),
        ((2.0,), "`tags` must be .* got 2.0"),
        ((2, ([[True]], [True], [True])), r"`allowed` must have three parts .* got \[\(1, 1\)"),
        ((1, ([[True]], [True])), "`allowed` must have three parts"),
    ],
)
def test_wrong_arguments(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CRF(*arguments)


def test_the_number_of_tags_may_be_that_of_numpy() -> None:
    two: Any = np.int64(2)
    tags = CRF(two).get_config()["tags"]
    assert type(tags) is int and tags == 2


def test_wrong_emissions() -> None:
    for emissions in (np.zeros((2, 3)), np.zeros((2, 3, TAGS + 1))):
        with pytest.raises(ValueError, match=r"`emissions` must have the shape \(batch, time, 3\)"):
            make().decode(emissions, [1, 2])


def test_trains_in_compile_behind_a_mask() -> None:
    """The recipe of docs/cells.md: padding of tags is -1, and Keras' mask ends at the CRF."""
    words, tags = np.array([[3, 1, 4], [2, 0, 0]]), np.array([[0, 2, 1], [1, -1, -1]])
    layer = CRF(3)

    def loss(tags: Any, emissions: Any) -> Any:
        lengths = keras.ops.sum(keras.ops.cast(tags >= 0, "int32"), axis=1)
        return -layer.log_likelihood(emissions, tags, lengths)

    inputs = keras.Input((None,), dtype="int32")
    embedded = keras.layers.Embedding(5, 3, mask_zero=True, embeddings_initializer="ones")(inputs)
    model = keras.Model(inputs, layer(embedded))
    model.compile(keras.optimizers.SGD(0.1), loss)
    # With all weights 0 and all emissions equal, each of 3 ** length paths is as probable.
    expected = (3 * np.log(3) + np.log(3)) / 2
    assert model.evaluate(words, tags, verbose=0) == pytest.approx(expected, abs=1e-5)
    losses = model.fit(words, tags, epochs=3, verbose=0).history["loss"]
    assert losses[0] == pytest.approx(expected, abs=1e-5)
    assert losses[2] < losses[0] - 0.1
    assert keras.src.backend.get_keras_mask(model(words)) is None
