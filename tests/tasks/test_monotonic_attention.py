"""Exact hard monotonic attention against a sum over all alignments, by enumeration."""

import itertools
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from seqzoo.tasks import Decoding, Examples, ManyToManyEncoderDecoder, PredictionOptions
from seqzoo.tasks.decoding.arrays import compiled_loops
from seqzoo.tasks.layers.copying import mixture_by_step
from seqzoo.tasks.layers.monotonic_attention import MonotonicAttention, first_step, transition

pytestmark = pytest.mark.usefixtures("plain_loop")

ROWS, STEPS, SOURCE, IDS = 2, 3, 4, 5
LENGTHS = (4, 2)
TOKENS = np.array([[0, 3, 1], [0, 2, 2]], np.int32)
"""The start and the two tokens before the last one."""

LAST = np.array([4, 0])


@pytest.fixture(scope="module")
def problem() -> dict[str, Any]:
    """Random emissions and scores, and the layer's weights for these."""
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (ROWS, STEPS, SOURCE, IDS)).astype(np.float32)
    queries = random.normal(size=(ROWS, STEPS, 6)).astype(np.float32)
    memory = random.normal(size=(ROWS, SOURCE, 7)).astype(np.float32)
    mask = np.arange(SOURCE) < np.array(LENGTHS)[:, None]
    layer = MonotonicAttention(6)
    keys = layer.keys(memory)
    return {
        "layer": layer,
        "emissions": tf.nn.log_softmax(logits),
        "raw": np.einsum("bij,bkj->bik", queries, memory @ layer.projection.kernel.numpy())
        / 6**0.5,
        "scores": layer.scores_of(tf.constant(queries), keys, tf.constant(mask)),
    }


def brute_force(problem: dict[str, Any], row: int, tokens: list[int]) -> float:
    """p(the first tokens), summed over all alignments that never go back."""
    emissions = np.exp(problem["emissions"].numpy().astype(float))
    scores, length, sum_of_all = problem["raw"].astype(float), LENGTHS[row], 0.0
    for alignment in itertools.product(range(length), repeat=len(tokens)):
        if list(alignment) != sorted(alignment):
            continue
        p, before = 1.0, 0
        for step, (place, token) in enumerate(zip(alignment, tokens, strict=True)):
            allowed = np.exp(scores[row, step, before:length])
            p *= np.exp(scores[row, step, place]) / allowed.sum()
            p *= emissions[row, step, place, token]
            before = place
        sum_of_all += p
    return sum_of_all


def test_a_text_has_the_probability_of_all_its_alignments(problem) -> None:
    logs, attention = problem["layer"](problem["emissions"], problem["scores"], TOKENS)
    np.testing.assert_allclose(np.exp(logs).sum(-1), 1, rtol=1e-5)
    np.testing.assert_allclose(np.sum(attention, -1), 1, rtol=1e-5)
    assert not attention[1, :, LENGTHS[1] :].numpy().any()
    for row in range(ROWS):
        said = [*TOKENS[row, 1:].tolist(), int(LAST[row])]
        each = np.exp([logs[row, step, token] for step, token in enumerate(said)])
        for count in range(1, STEPS + 1):
            expected = brute_force(problem, row, said[:count])
            np.testing.assert_allclose(each[:count].prod(), expected, rtol=1e-4)


def test_steps_compute_the_same_as_whole_texts(problem) -> None:
    layer = problem["layer"]
    whole, attention = layer(problem["emissions"], problem["scores"], TOKENS)
    state = layer.first_state(tf.ones([ROWS, SOURCE], tf.bool), IDS)
    for step in range(STEPS):
        emissions, scores = problem["emissions"][:, step], problem["scores"][:, step]
        logs, prior, state = layer.step(emissions, scores, TOKENS[:, step], state)
        np.testing.assert_allclose(logs, whole[:, step], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(prior, attention[:, step], rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(first_step(tf.zeros([1, 3])), [[1, 0, 0]])


def test_steps_with_low_scores_after_an_excluded_one_keep_their_gradients() -> None:
    """Scores 60 and 62 below that of a step that is no longer allowed."""
    before = tf.constant([[0.0, 1.0, 0.0]])
    with tf.GradientTape() as tape:
        scores = tf.constant([[60.0, 0.0, -2.0]])
        tape.watch(scores)
        prior = transition(scores, before)
        first = prior[0, 1]
    expected = 1 / (1 + np.exp(-2))
    np.testing.assert_allclose(prior, [[0, expected, 1 - expected]], rtol=1e-5)
    slope = expected * (1 - expected)
    gradient = tape.gradient(first, scores)
    np.testing.assert_allclose(gradient, [[0, slope, -slope]], rtol=1e-4, atol=1e-7)


def test_a_step_copies_its_own_token() -> None:
    random = np.random.default_rng(1)
    logits = random.normal(size=(1, 2, 3, 4)).astype(np.float32)
    gate = random.normal(size=(1, 2, 3, 1)).astype(np.float32)
    copies = tf.constant([[5, 0, 2]])  # a further id, none, and one of the vocabulary
    p = 1 / (1 + np.exp(-gate))
    p[:, :, 1] = 1
    expected = np.concatenate([p * tf.nn.softmax(logits).numpy(), np.zeros((1, 2, 3, 2))], -1)
    expected[:, :, 0, 5] += 1 - p[:, :, 0, 0]
    expected[:, :, 2, 2] += 1 - p[:, :, 2, 0]
    found = np.exp(mixture_by_step(tf.constant(logits), tf.constant(gate), copies, 2))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.fixture(scope="module")
def model() -> tuple[Any, Any, dict[str, Any]]:
    """A task of characters with two layers that copies, its model, and a batch."""
    options: Any = {"units": 5, "embedding": 4, "layers": 2, "minimum_count": 1, "copy": True}
    task: Any = ManyToManyEncoderDecoder(attention="monotonic", **options).adapt(
        Examples(["abc", "cab"], ["abca", "ca"])
    )
    inputs, outputs = ["abxcy", "xb", "c"], ["axby", "bx", "y"]
    data = task.encode(Examples(inputs, outputs), targets=True)
    rows = np.arange(3)
    batch = {
        "values": tf.constant(data.inputs.padded(rows, 6)),
        "lengths": tf.constant(data.inputs.lengths),
        "targets": tf.constant(data.targets.padded(rows, 6)),
        "target_lengths": tf.constant(data.targets.lengths),
        "weights": tf.ones(3),
        "inputs": inputs,
        "outputs": outputs,
    }
    return task, task.build(), batch


def test_scores_are_the_losses_and_gradients_are_finite(model) -> None:
    task, network, batch = model
    with tf.GradientTape() as tape:
        losses = task.forward(network, batch, training=True).losses
    gradients = tape.gradient(losses, network.trainable_weights)
    for weight, gradient in zip(network.trainable_weights, gradients, strict=True):
        values = tf.convert_to_tensor(gradient).numpy()
        assert np.isfinite(values).all() and values.any(), weight.path
    raw = tuple(map(tf.constant, task.features.raw(batch["inputs"], batch["inputs"])))
    rated = task.output_log_probabilities(network, raw, tf.constant(batch["outputs"]))
    np.testing.assert_allclose(-rated["log_probability"], losses, rtol=1e-4)


def test_an_answer_has_the_probability_of_its_score(model) -> None:
    task, network, batch = model
    raw = tuple(map(tf.constant, task.features.raw([*batch["inputs"], ""], [""] * 4)))
    beam = PredictionOptions(2, Decoding("beam", beam_width=3, count=2, maximum_length=5))
    found = task.respond(network, raw, beam)
    assert np.isfinite(found["log_probabilities"]).all()
    rated = task.output_log_probabilities(network, raw, found["text"])
    np.testing.assert_allclose(rated["log_probability"], found["log_probability"], rtol=1e-4)
    shown = task.explain(network, raw, PredictionOptions(1, Decoding(maximum_length=5)))
    inside = np.arange(shown["attention"].shape[1]) < shown["lengths"].numpy()[:, None]
    np.testing.assert_allclose(np.sum(shown["attention"], -1), inside, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("attention", ["additive", "monotonic"])
def test_copying_loops_compile_and_run_in_half_precision(attention) -> None:
    options: Any = {"units": 5, "embedding": 4, "minimum_count": 1, "copy": True, "tied": True}
    examples = Examples(["abc", "cab"], ["abca", "ca"])
    task: Any = ManyToManyEncoderDecoder(attention=attention, **options).adapt(examples)
    network = task.build()
    data = task.encode(Examples(["abxcy", "xb"]), targets=False)
    values = tf.constant(data.inputs.padded(np.arange(2), 5))
    batch = {"values": values, "lengths": tf.constant(data.inputs.lengths)}
    choices = PredictionOptions(decoding=Decoding("beam", beam_width=2, maximum_length=4))
    plain = task.generate(network, batch, choices)
    with compiled_loops():
        compiled = task.generate(network, batch, choices)
    np.testing.assert_array_equal(compiled.tokens, plain.tokens)
    np.testing.assert_allclose(compiled.scores, plain.scores, rtol=1e-4)
    np.testing.assert_allclose(compiled.attention, plain.attention, rtol=1e-3, atol=1e-5)
    half = task.build("mixed_bfloat16")
    half.set_weights(network.get_weights())
    rough = task.generate(half, batch, PredictionOptions(decoding=Decoding(maximum_length=5)))
    assert np.isfinite(rough.scores).all()
    logits = half({**batch, "tokens": tf.constant([[2, 4], [2, 5]])})
    exact = network({**batch, "tokens": tf.constant([[2, 4], [2, 5]])})
    assert logits.dtype == "float32"
    np.testing.assert_allclose(np.exp(logits), np.exp(exact), atol=0.02)
