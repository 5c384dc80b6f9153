"""The model of a tagger: every cell learns in it, padding has no effect, and saving needs no custom
objects."""

import itertools
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from tagging_data import MAKERS, sentences, tagger
from task_data import repeat, settings

import seqzoo.cells
from seqzoo.tasks import Examples, SeqzooError
from seqzoo.tasks.base import PredictionOptions
from seqzoo.tasks.data.batches import Padding, batches, make_plan
from seqzoo.tasks.many_to_many_aligned.tagger import TaggerTask
from seqzoo.tasks.many_to_many_aligned.tagger_network import WordCharacters, WordIds
from seqzoo.tasks.metrics.bio import entity_spans
from seqzoo.tasks.preprocessing.tagged_words import WORD_CHARACTERS
from seqzoo.tasks.training.step import Loop

KINDS = [("words", False), ("words", True), ("characters", False), ("series", True)]


@pytest.fixture(autouse=True)
def plain_loop() -> Iterator[None]:
    """Traces the plain loop: compiling each cell's fast one is tested where the cells are."""
    with seqzoo.cells.portable():
        yield


def _batch(task: Any, examples: Examples, padded: int) -> dict:
    data = task.data(examples)
    return next(iter(batches(data, make_plan(data, Padding([padded], [padded]), len(data)))))


def _forward(task: Any, model: Any, batch: dict) -> list[np.ndarray]:
    """Losses, right answers, and everything that is inferred, except in the padding."""
    losses, sums, *_ = task.forward(model, batch, training=False)
    result = task.infer(model, batch, PredictionOptions())
    assert not result["probabilities"].numpy()[~_inside(batch)].any()
    candidates = [result["probabilities"][:, :8], result["log_probabilities"]]
    return [value.numpy() for value in (losses, sums, *candidates)]


def _inside(batch: dict) -> np.ndarray:
    return np.arange(batch["values"].shape[1]) < batch["lengths"].numpy()[:, None]


def _noisy(batch: dict) -> dict:
    """A batch with noise for padding, in its inputs and targets."""
    random, inside = np.random.default_rng(0), _inside(batch)
    values = batch["values"].numpy()
    noise = random.integers(0, 5, values.shape).astype(values.dtype)
    outside = ~inside.reshape(*inside.shape, *[1] * (values.ndim - 2))
    targets = np.where(inside, batch["targets"], random.integers(0, 2, inside.shape))
    values = np.where(outside, noise, values)
    return {**batch, "values": tf.constant(values), "targets": tf.constant(targets, tf.int32)}


def _learn(choices: Any, examples: Examples, steps: int) -> tuple[Any, list[float]]:
    """The loop after steps on one batch, and the loss of each step."""
    task = choices.adapt(examples)
    keras.utils.set_random_seed(0)
    chosen = settings(batch_size=len(examples), learning_rate=0.05)
    loop = Loop(task, chosen, steps, tf.distribute.get_strategy())
    data = task.data(examples)
    plan = repeat(make_plan(data, Padding([8], [8]), len(examples)), steps)
    totals = [float(loop.totals.numpy()[0]) for _ in loop.train(data, plan)]
    return loop, np.diff([0.0, *totals]).tolist()


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize("cell", ["gru", pytest.param("lstm", marks=pytest.mark.slow)])
def test_core_cell_learns_a_batch_never_sees_padding_and_is_saved(cell: str, tmp_path) -> None:
    """Saved without custom objects."""
    examples = sentences(24, 1)
    loop, losses = _learn(tagger(cell=cell, characters=3), examples, 20)
    assert losses[-1] < 0.5 * losses[0]
    batch = _batch(loop.task, examples, 12)
    plain = _forward(loop.task, loop.model, batch)
    for other in (_noisy(batch), _batch(loop.task, examples, 8)):
        for one, two in zip(_forward(loop.task, loop.model, other), plain, strict=True):
            np.testing.assert_allclose(one, two, atol=1e-4)
    loop.model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    for one, two in zip(_forward(loop.task, again, batch), plain, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-6)


@pytest.mark.quick_for("words-True", rest="exhaustive")
@pytest.mark.parametrize("kind, crf", KINDS)
def test_every_kind_learns_and_never_sees_padding(kind: str, crf: bool) -> None:
    examples = MAKERS[kind](24, 1)
    if kind == "characters":
        examples = Examples([t[:8] for t in examples.inputs], [t[:8] for t in examples.targets])
    loop, losses = _learn(tagger(input=kind, crf=crf), examples, 25)
    assert losses[-1] < 0.6 * losses[0]
    batch = _batch(loop.task, examples, 12)
    plain = _forward(loop.task, loop.model, batch)
    for other in (_noisy(batch), _batch(loop.task, examples, 8)):
        for one, two in zip(_forward(loop.task, loop.model, other), plain, strict=True):
            np.testing.assert_allclose(one, two, atol=1e-4)


@pytest.mark.parametrize("crf", [False, True])
def test_loss_and_predictions_by_brute_force(crf: bool) -> None:
    examples = sentences(6, 7, longest=4)
    task = tagger(crf=crf).adapt(examples)
    assert isinstance(task, TaggerTask)
    names = task.tags.names
    assert names == ["B-x", "B-y", "I-x", "O"]
    model = task.build("float32")
    random = np.random.default_rng(0)
    model.set_weights([random.normal(size=weight.shape) for weight in model.get_weights()])
    batch = _batch(task, examples, 5)
    scores = task.scores(model, batch).numpy()
    losses, sums, *_ = task.forward(model, batch, training=False)
    result = task.infer(model, batch, PredictionOptions())
    layer = model.get_layer("crf") if crf else None
    start, end, moves = np.zeros(4), np.zeros(4), np.zeros((4, 4))
    if layer is not None:
        start, end, moves = (np.array(w) for w in (layer.start, layer.end, layer.transitions))
        start[2] = moves[[1, 3], 2] = -np.inf  # an I only continues a B or I of its type
    assert task.counts(batch).numpy().tolist() == [len(target) for target in examples.targets]
    for row, tags in enumerate(batch["targets"].numpy()):
        length = int(batch["lengths"][row])
        paths = list(itertools.product(range(4), repeat=length))
        values = np.array(
            [
                start[p[0]]
                + end[p[-1]]
                + scores[row, range(length), p].sum()
                + sum(moves[i, j] for i, j in itertools.pairwise(p))
                for p in paths
            ]
        )
        shares = np.exp(values - np.logaddexp.reduce(values))
        best = int(values.argmax())
        gold = paths.index(tuple(tags[:length]))
        assert float(losses[row]) == pytest.approx(-np.log(shares[gold]), rel=1e-4)
        assert result["tags"][row, :length].numpy().tolist() == list(paths[best])
        predicted, actual = (
            set(entity_spans([names[tag] for tag in paths[path]])) for path in (best, gold)
        )
        assert sums[row].numpy().tolist() == [len(predicted & actual), len(predicted), len(actual)]
        assert np.exp(result["log_probabilities"][row]) == pytest.approx(shares[best], rel=1e-4)
        each = [sum(s for p, s in zip(paths, shares, strict=True) if p[t] == paths[best][t])
                for t in range(length)]  # fmt: skip
        np.testing.assert_allclose(result["probabilities"][row, :length], each, rtol=1e-4)
        if not crf:
            continue
        possible = [path for path in np.argsort(-shares)[:5] if shares[path]]
        expected = [(" ".join(names[tag] for tag in paths[p]), shares[p]) for p in possible]
        found_best = {name: [value[row].numpy()] for name, value in result.items()}
        (answer,) = task.predictions(found_best, None, PredictionOptions())
        assert [label for label, _ in answer.alternatives] == [label for label, _ in expected]
        np.testing.assert_allclose(
            [share for _, share in answer.alternatives],
            [share for _, share in expected],
            rtol=1e-4,
        )


def test_each_word_is_read_by_itself_in_any_position() -> None:
    """Against the layer's own cells, run over each word without padding."""
    random = np.random.default_rng(3)
    layer = WordCharacters(9, 4, "gru", 3)
    values = np.zeros((3, 5, 1 + WORD_CHARACTERS), np.int32)
    lengths = random.integers(1, WORD_CHARACTERS + 1, (3, 5))
    for row, step in np.ndindex(3, 5):
        values[row, step, 1 : 1 + lengths[row, step]] = random.integers(1, 9, lengths[row, step])
    values[2, 3] = values[0, 1]
    lengths[2, 3] = lengths[0, 1]
    got = layer(tf.constant(values)).numpy()
    assert got.shape == (3, 5, 6)
    np.testing.assert_array_equal(got[2, 3], got[0, 1])
    for row, step in np.ndindex(3, 5):
        ids = values[row, step, 1 : 1 + lengths[row, step]]
        ways = (
            (layer.recurrent.forward_layer.cell, ids),
            (layer.recurrent.backward_layer.cell, ids[::-1]),
        )
        expected = []
        for cell, order in ways:
            states = [tf.zeros((1, 3))]
            for one in order:
                _, states = cell(layer.embedding(tf.constant([one])), states)
            expected.append(states[0][0])
        np.testing.assert_allclose(got[row, step], np.concatenate(expected), atol=1e-5)


def test_words_become_unknown_only_in_training() -> None:
    layer, values = WordIds(0.25), tf.fill((40, 50, 3), 7)
    assert (layer(values).numpy() == 7).all()
    dropped = layer(values, training=True).numpy()
    assert set(dropped.flat) == {1, 7} and 0.2 < (dropped == 1).mean() < 0.3
    assert (layer(values, training=True).numpy() != dropped).any()
    assert (WordIds()(values[:, :, 0], training=True).numpy() == 7).all()


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize(
    "precision", ["mixed_bfloat16", pytest.param("mixed_float16", marks=pytest.mark.slow)]
)
def test_precision(precision: str, tmp_path) -> None:
    task: Any = tagger(characters=3, crf=True, dropout=0.2, word_dropout=0.2).adapt(sentences(9, 1))
    model = task.build(precision)
    assert all(weight.dtype == "float32" for weight in model.trainable_weights)
    assert model.get_layer("characters").recurrent.forward_layer.cell.compute_dtype == (
        precision.removeprefix("mixed_")
    )
    batch = _batch(task, sentences(5, 2), 8)
    with tf.GradientTape() as tape:
        outcome = task.forward(model, batch, training=True)
        loss = tf.reduce_sum(outcome.losses)
    assert outcome.losses.dtype == tf.float32 and task.scores(model, batch).dtype == tf.float32
    weights = [weight.value for weight in model.trainable_weights]
    for weight, gradient in zip(weights, tape.gradient(loss, weights), strict=True):
        gradient = tf.convert_to_tensor(gradient)
        assert gradient.shape == weight.shape and np.isfinite(gradient).all()
        assert gradient.numpy().any()
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    for one, two in zip(*(_forward(task, m, batch) for m in (again, model)), strict=True):
        np.testing.assert_array_equal(one, two)


def test_layers_are_bidirectional_by_default() -> None:
    for bidirectional, both in ((None, True), (True, True), (False, False)):
        model = tagger(bidirectional=bidirectional).adapt(sentences(9, 1)).build("float32")
        kinds = [type(layer) for layer in model.layers]
        assert (seqzoo.cells.Bidirectional in kinds) == both


def test_a_tag_not_seen_in_training() -> None:
    task = tagger().adapt(sentences(9, 1))
    with pytest.raises(SeqzooError, match="example 0 has the label 'B-z'"):
        task.data(Examples([["a"]], [["B-z"]]))
    with pytest.raises(SeqzooError, match="example 1 has 1 step and 2 tags"):
        task.data(Examples([["a"], "b"], [["O"], "O O"]))
    with pytest.raises(SeqzooError, match="no cell named 'gruu'"):
        tagger(cell="gruu").adapt(sentences(3, 1))
    with pytest.raises(SeqzooError, match="`word_dropout` is for words with tags"):
        tagger(input="characters", word_dropout=0.1)
