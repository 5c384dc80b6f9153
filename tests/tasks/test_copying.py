"""A decoder that copies: its distribution, the ids of unknown words, and its texts."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from seqzoo.tasks import (
    Decoding,
    Examples,
    ManyToManyEncoderDecoder,
    PredictionOptions,
    SeqzooError,
)
from seqzoo.tasks.decoding.token_stream import TokenStream
from seqzoo.tasks.layers.copying import mixture
from seqzoo.tasks.preprocessing.copied_tokens import EXTENDED_IDS, copy_ids
from seqzoo.tasks.preprocessing.vocabulary import PADDING, UNKNOWN, Vocabulary
from seqzoo.tasks.seq2seq.decoder import Decoder
from seqzoo.tasks.targets.texts import END, START

pytestmark = pytest.mark.usefixtures("plain_loop")

KNOWN = 4
"""Id of the first token of a target vocabulary after the start and the end."""

OPTIONS: Any = {"units": 5, "embedding": 4, "copy": True, "attention": "multiplicative"}
TEXTS = ["a b c d", "b c d a", "c d a b"]


def softmax(values: np.ndarray) -> np.ndarray:
    each = np.exp(values - values.max(-1, keepdims=True))
    return each / each.sum(-1, keepdims=True)


def test_the_distribution_is_that_of_the_paper() -> None:
    random = np.random.default_rng(0)
    batch, time, source, size, further = 3, 2, 5, 6, 4
    logits = random.normal(0, 2, (batch, time, size)).astype(np.float32)
    gate = random.normal(0, 2, (batch, time, 1)).astype(np.float32)
    # A token that occurs twice, one of the vocabulary, further ones, and steps without any.
    copies = np.array([[6, 4, 6, 7, 5], [4, PADDING, PADDING, 9, 4], [UNKNOWN, 6, 8, 3, 3]])
    mask = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 1, 0], [1, 1, 0, 0, 0]], bool)
    scores = np.where(mask[:, None], random.normal(0, 2, (batch, time, source)), -np.inf)
    weights = softmax(scores).astype(np.float32)

    generated = 1 / (1 + np.exp(-gate.astype(float)))
    expected = np.zeros((batch, time, size + further))
    for row in range(batch):
        for step in range(time):
            p = generated[row, step, 0]
            rest = sum(weights[row, step, j] for j in range(source) if copies[row, j] == PADDING)
            expected[row, step, :size] = (p + (1 - p) * rest) * softmax(logits[row, step])
            for j in range(source):
                if copies[row, j] != PADDING:
                    expected[row, step, copies[row, j]] += (1 - p) * weights[row, step, j]
    np.testing.assert_allclose(expected.sum(-1), 1, rtol=1e-6)

    given = tf.constant(logits), tf.constant(gate), tf.constant(weights)
    last = tf.constant(mask), tf.constant(copies, tf.int32), further
    with tf.GradientTape() as tape:
        tape.watch(given)
        logs = mixture(*given, *last)
        loss = -tf.reduce_sum(tf.gather(logs, [[4, 6], [9, 9], [6, 5]], batch_dims=2))
    np.testing.assert_allclose(np.exp(logs), expected, rtol=1e-5, atol=1e-9)
    assert np.array_equal(np.isneginf(logs), expected == 0)
    for gradient in tape.gradient(loss, given):
        assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0.1


def test_without_weights_everything_is_generated() -> None:
    logits, gate = tf.constant([[[1.0, 2.0, 0.5]]]), tf.constant([[[-30.0]]])
    none = tf.zeros([1, 1, 2]), tf.constant([[False, False]]), tf.constant([[0, 0]])
    logs = mixture(logits, gate, *none, 2)
    np.testing.assert_allclose(logs[..., :3], tf.nn.log_softmax(logits), rtol=1e-5)


def test_attention_reads_on_from_the_last_token() -> None:
    """With a large term, it is on the steps after those of the last token."""
    decoder = Decoder(8, "gru", 3, embedding=2, attention="additive", copies=2, follows=True)
    copies = tf.constant([[PADDING, 4, 5, 9, 5, 6], [4, 5, PADDING, 5, PADDING, PADDING]])
    mask = tf.sequence_mask([6, 4])
    memory = tf.random.stateless_normal([2, 6, 4], (0, 1))
    tokens = tf.constant([[START, 4, 5, 9, 7], [START, 4, 5, 9, 7]])
    steps = [[[1], [2], [3, 5], [4], None], [[0, 3], [1], None, None, None]]
    states = decoder.zero_states(2)
    decoder(tokens, [states[0]], memory, mask, copies=copies)
    assert decoder.succession is not None
    np.testing.assert_array_equal(decoder.succession.bias, [1.0])
    plain = decoder(tokens, [states[0]], memory, mask, copies=copies)[0]
    decoder.succession.bias.assign([200.0])
    logs = decoder(tokens, [states[0]], memory, mask, copies=copies)[0]
    assert not np.allclose(plain, logs)
    for time in range(tokens.shape[1]):
        constants = decoder.look_at(memory, mask, copies)
        step, states, weights = decoder.step(tokens[:, time], states, constants)
        np.testing.assert_allclose(step, logs[:, time], rtol=1e-4, atol=1e-5)
        for row in range(2):
            if steps[row][time]:
                on = np.flatnonzero(np.asarray(weights)[row] > 1e-6).tolist()
                assert on == steps[row][time]


def test_unknown_tokens_have_ids_of_their_own_in_each_example() -> None:
    known = Vocabulary(["\x02", "\x03", "a", "b"])
    many = [f"w{place}" for place in range(EXTENDED_IDS + 2)]
    rows = [["x", "a", "y", "x", "\x03", "z"], ["y", "", "b", "x"], many]
    ids = copy_ids(tf.ragged.constant(rows).to_tensor(""), known).numpy()
    size = len(known)
    assert ids[0, :6].tolist() == [size, KNOWN, size + 1, size, PADDING, size + 2]
    assert ids[1, :4].tolist() == [size, PADDING, KNOWN + 1, size + 1]
    assert ids[2].tolist() == [*range(size, size + EXTENDED_IDS), UNKNOWN, UNKNOWN]
    assert not ids[0, 6:].any() and not ids[1, 4:].any()


@pytest.fixture(scope="module")
def words() -> tuple[Any, Any]:
    """A task of words that knows a, b, c and d, and its model."""
    template = ManyToManyEncoderDecoder("words", "words", lowercase=True, **OPTIONS)
    task: Any = template.adapt(Examples(TEXTS, TEXTS))
    return task, task.build()


def test_targets_have_the_ids_of_their_inputs(words) -> None:
    task, _ = words
    inputs = ["Köln a Zürich, b", "a b"]
    data = task.encode(Examples(inputs, ["Zürich, Köln Rom d", "Köln"]), targets=True)
    size = len(task.texts.vocabulary)
    a, b, d = (task.texts.vocabulary.tokens.index(token) + 2 for token in "abd")
    assert data.inputs[0][:, 1].tolist() == [size, a, size + 1, size + 2, b]
    assert data.targets[0].tolist() == [size + 1, size + 2, size, UNKNOWN, d, END]
    assert data.targets[1].tolist() == [UNKNOWN, END]


def test_a_step_and_a_score_have_the_probabilities_of_training(words) -> None:
    task, model = words
    inputs, outputs = ["x a y x", "b x"], ["y a x", "b b"]
    data = task.encode(Examples(inputs, outputs), targets=True)
    batch = {
        "values": tf.constant(data.inputs.padded(np.array([0, 1]), 6)),
        "lengths": tf.constant(data.inputs.lengths),
        "targets": tf.constant(data.targets.padded(np.array([0, 1]), 5)),
        "target_lengths": tf.constant(data.targets.lengths),
        "weights": tf.ones(2),
    }
    losses = task.forward(model, batch, training=False).losses
    raw = tuple(map(tf.constant, task.features.raw(inputs, inputs)))
    rated = task.output_log_probabilities(model, raw, tf.constant(outputs))
    np.testing.assert_allclose(-rated["log_probability"], losses, rtol=1e-5)
    assert np.isfinite(losses).all()


@pytest.mark.parametrize("method", ["greedy", "beam", "sample"])
def test_texts_have_the_words_of_the_input(words, method) -> None:
    task, network = words
    size, known = len(task.texts.vocabulary), task.texts.vocabulary.tokens.index("a") + 2
    written = tf.constant([size + 1, known, size, size + 1, END])

    def step(tokens, states, constants):
        place = tf.minimum(states[0][:, 0], 4)
        chosen = 40.0 * tf.one_hot(tf.gather(written, place), task.ids)
        # No beam but that of the script ends.
        return chosen - 20.0 * tf.one_hot(END, task.ids), [states[0] + 1], None

    class Scripted(type(task)):
        def decode_arguments(self, model, batch, options):
            start = [tf.zeros_like(batch["lengths"])[:, None]]
            return {
                **super().decode_arguments(model, batch, options),
                "step": step,
                "states": start,
            }

    own: Any = Scripted(task.template, task.features, task.texts)
    inputs, expected = ["Zürich and Köln", "x y Łódź z"], ["and a Zürich and", "y a x y"]
    options = PredictionOptions(decoding=Decoding(method, maximum_length=6), seed=1)
    raw = tuple(map(tf.constant, own.features.raw(inputs, inputs)))
    served = own.respond(network, raw, options)["text"].numpy()
    assert [text.decode() for text in served] == expected
    data = own.encode(Examples(inputs), targets=False)
    batch = {
        "values": tf.constant(data.inputs.padded(np.array([0, 1]), 4)),
        "lengths": tf.constant(data.inputs.lengths),
    }
    found = {name: [*value.numpy()] for name, value in own.infer(network, batch, options).items()}
    assert [prediction.label for prediction in own.predictions(found, inputs, options)] == expected
    examples = Examples(inputs, expected)
    assert own.compute_metrics(found, data, examples, options)["exact_match"] == 1.0
    assert own.criterion_value("chrf", found, examples) == pytest.approx(100)


@pytest.mark.parametrize(
    "choices",
    [
        {"input": "characters", "target": "words"},
        {"input": "words", "target": "characters"},
        {"input": "series"},
        {"attention": "none"},
    ],
)
def test_only_models_that_write_what_they_read_copy(choices) -> None:
    with pytest.raises(
        SeqzooError, match="`copy` is for models with .* or read lemmas and write char"
    ) as caught:
        ManyToManyEncoderDecoder(**{**OPTIONS, **choices})
    assert caught.value.field == "copy"


def test_what_copying_excludes_is_refused_in_one_line(words, tmp_path) -> None:
    task, model = words
    options = PredictionOptions(decoding=Decoding(replace_unknown=True))
    raw = (tf.constant(["a b"]),)
    with pytest.raises(
        SeqzooError, match="`replace_unknown` applies only to models that do not copy"
    ):
        task.respond(model, raw, options)
    with pytest.raises(SeqzooError, match="predict instead of streaming"):
        TokenStream(task, model, Decoding(), {})
