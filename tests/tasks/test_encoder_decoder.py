"""The encoder-decoder: every cell learns in it, padding has no effect, and runs and exports predict
the same."""

import pathlib
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from task_data import repeat, settings

import seqzoo.cells
from seqzoo.tasks import (
    Decoding,
    Examples,
    ManyToManyEncoderDecoder,
    PredictionOptions,
    SeqzooError,
    Splits,
)
from seqzoo.tasks.data.batches import Padding, batches, make_plan
from seqzoo.tasks.decoding.decoder import Decoded
from seqzoo.tasks.decoding.scoring import score
from seqzoo.tasks.runs.run import Run
from seqzoo.tasks.targets.texts import END, START
from seqzoo.tasks.training.step import Loop
from seqzoo.tasks.training.trainer import train


@pytest.fixture(autouse=True)
def plain_loop():
    """Traces the plain loop: compiling each cell's fast one is tested where the cells are."""
    with seqzoo.cells.portable():
        yield


def template(**choices: Any) -> ManyToManyEncoderDecoder:
    choices = {"units": 7, "embedding": 5, "minimum_count": 1, "cell": "gru", **choices}
    return ManyToManyEncoderDecoder(**choices)


def reversals(count: int, seed: int) -> Examples:
    """Words and their reversal, with a punctuation mark at the end."""
    random = np.random.default_rng(seed)
    words = ["".join(random.choice(list("abcdé"), n)) for n in random.integers(1, 7, count)]
    return Examples(words, [word[::-1] + "!" for word in words])


def batch_of(task, examples: Examples, padding: Padding) -> dict:
    data = task.data(examples)
    return next(iter(batches(data, make_plan(data, padding, len(data)))))


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize(
    "cell, attention",
    [("gru", "additive"), pytest.param("lstm", "none", marks=pytest.mark.slow)],
)
def test_core_cell_learns_a_batch(cell: str, attention: str) -> None:
    choices = template(cell=cell, attention=attention, layers=2, tied=attention == "none")
    examples = reversals(16, 1)
    task = choices.adapt(examples)
    keras.utils.set_random_seed(0)
    loop = Loop(task, settings(batch_size=16), 30, tf.distribute.get_strategy())
    data = task.data(examples)
    plan = repeat(make_plan(data, Padding([6], [8]), 16), 30)
    losses = [loop.means()[0] * step for step, _ in enumerate(loop.train(data, plan), 1)]
    assert losses[-1] - losses[-2] < 0.7 * losses[0]


@pytest.mark.quick_for("additive")
@pytest.mark.parametrize("attention", ["additive", "multiplicative", "none"])
def test_padding_affects_neither_loss_nor_predictions(attention: str) -> None:
    examples = reversals(9, 2)
    task = template(attention=attention, bidirectional=attention != "none").adapt(examples)
    model = task.build("float32")
    tight = batch_of(task, examples, Padding([6], [7]))
    loose = batch_of(task, examples, Padding([11], [15]))
    random = np.random.default_rng(0)
    for name, lengths in (("values", "lengths"), ("targets", "target_lengths")):
        inside = np.arange(loose[name].shape[1]) < loose[lengths].numpy()[:, None]
        loose[name] = tf.where(inside, loose[name], random.integers(4, 6, inside.shape))
    order = [np.argsort(batch["lengths"].numpy(), kind="stable") for batch in (tight, loose)]
    outcomes = [task.forward(model, batch, False) for batch in (tight, loose)]
    for part in ("losses", "sums"):
        one, other = (
            getattr(outcome, part).numpy()[rows]
            for outcome, rows in zip(outcomes, order, strict=True)
        )
        np.testing.assert_allclose(np.sort(one, 0), np.sort(other, 0), rtol=1e-5)
    counts = task.counts(tight).numpy()
    assert sorted(counts) == sorted(len(text) + 1 for text in examples.targets or ())
    answers = [task.infer(model, batch, PredictionOptions()) for batch in (tight, loose)]
    texts = [sorted(answer["texts"].numpy().ravel()) for answer in answers]
    assert texts[0] == texts[1]


def test_the_loss_is_what_decoding_reports() -> None:
    # All steps of a known target at once, and one step after the other: the same numbers.
    examples = reversals(6, 3)
    task: Any = template(cell="lstm", layers=2).adapt(examples)
    model = task.build("float32")
    batch = batch_of(task, examples, Padding([6], [7]))
    memory, mask, states = model.encode(batch)
    total, _ = score(
        model.decoder.step,
        states,
        tokens=batch["targets"],
        lengths=batch["target_lengths"] - 1,
        start=START,
        end=END,
        vocabulary_size=len(task.texts.vocabulary),
        constants=model.decoder.look_at(memory, mask),
    )
    np.testing.assert_allclose(-total, task.forward(model, batch, False).losses, rtol=1e-5)


@pytest.mark.slow
def test_smoothing_applies_only_to_training() -> None:
    examples = reversals(6, 3)
    batch = batch_of(template().adapt(examples), examples, Padding([6], [7]))
    losses = {}
    for smoothing in (0.0, 0.2):
        task = template(label_smoothing=smoothing).adapt(examples)
        keras.utils.set_random_seed(0)
        model = task.build("float32")
        for training in (False, True):
            losses[smoothing, training] = task.forward(model, batch, training).losses.numpy()
    np.testing.assert_array_equal(losses[0.0, False], losses[0.2, False])
    logits = model(
        {
            **batch,
            "tokens": tf.pad(batch["targets"][:, :-1], [[0, 0], [1, 0]], constant_values=START),
        }
    )
    size = logits.shape[-1]
    goal = 0.8 * tf.one_hot(batch["targets"], size) + 0.2 / size
    each = tf.nn.softmax_cross_entropy_with_logits(goal, logits)
    inside = np.arange(each.shape[1]) < batch["target_lengths"].numpy()[:, None]
    np.testing.assert_allclose(losses[0.2, True], (each * inside).numpy().sum(1), rtol=1e-5)


def test_scheduled_sampling_feeds_the_models_own_tokens() -> None:
    examples = reversals(20, 4)
    task = template(scheduled_sampling=0.5).adapt(examples)
    model = task.build("float32")
    fed = []
    inner = model.decoder.call
    model.decoder.call = lambda tokens, *rest, **more: (
        fed.append(tokens) or inner(tokens, *rest, **more)
    )
    batch = batch_of(task, examples, Padding([6], [7]))
    task.forward(model, batch, True)
    true, mixed = (tokens.numpy() for tokens in fed)
    assert (mixed[:, 0] == START).all() and (true[:, 0] == START).all()
    assert 0.2 < (mixed != true)[:, 1:].mean() < 0.7
    task.forward(model, batch, False)
    np.testing.assert_array_equal(fed[-1], true)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("reversals") / "run"
    with seqzoo.cells.portable():
        train(
            template(units=24, embedding=12),
            Splits(reversals(300, 5), reversals(40, 6)),
            settings(epochs=6, batch_size=32, learning_rate=0.02),
            folder,
        )
    return Run.open(folder)


@pytest.mark.slow
def test_a_run_predicts_and_is_scored(run: Run) -> None:
    assert run.history[-1]["validation_exact_match"] > run.history[0]["validation_exact_match"]
    examples = reversals(60, 7)
    answers = run.predict(examples.inputs)
    metrics = run.evaluate(examples)
    pairs = dict(zip(examples.inputs, (answer.label for answer in answers), strict=True))
    assert metrics["inputs"] == len(pairs)
    right = np.mean([text == word[::-1] + "!" for word, text in pairs.items()])
    assert metrics["exact_match"] == pytest.approx(right) and 0 < right
    assert metrics["samples"][0]["answer"] == answers[0].label
    wide = PredictionOptions(decoding=Decoding("beam", count=3, maximum_length=12))
    for greedy, best in zip(answers, run.predict(examples.inputs, wide), strict=True):
        probabilities = [probability for _, probability in best.alternatives]
        assert probabilities == sorted(probabilities, reverse=True)
        assert probabilities[0] >= greedy.alternatives[0][1] - 1e-6


@pytest.mark.slow
def test_each_of_several_targets_of_one_input_is_correct(run: Run) -> None:
    (answer,) = run.predict(["abc"])
    metrics = run.evaluate(Examples(["abc", "abc"], [answer.label, "something else"]))
    assert metrics["exact_match"] == 1.0 and metrics["inputs"] == 1


@pytest.mark.slow
def test_an_export_predicts_the_same_without_our_code(
    run: Run, tmp_path: pathlib.Path, clean_tensorflow
) -> None:
    options = PredictionOptions(decoding=Decoding("beam", count=2, beam_width=3, maximum_length=12))
    run.export(tmp_path / "saved", options, check=False)
    words = ["abcde", "é", "bad", "dab?"]
    theirs = clean_tensorflow.answers(tmp_path / "saved", [words])["texts"]
    ours = [[text for text, _ in item.alternatives] for item in run.predict(words, options)]
    assert [[text.decode() for text in row] for row in theirs] == ours


@pytest.mark.slow
@pytest.mark.exhaustive  # one of the longest
def test_words_keep_their_spaces_in_predictions_scores_and_exports(tmp_path: pathlib.Path) -> None:
    written = {"a": "3.5 km", "b": "it's 10:30", "c": "me@home.ch wrote", "d": 'the "big" one'}
    examples = Examples([*written] * 4, [*written.values()] * 4)
    chosen = settings(epochs=50, batch_size=8, learning_rate=0.02)
    run = train(template(target="words", units=16), Splits(examples), chosen, tmp_path / "run")
    run = Run.open(run.folder)
    assert [answer.label for answer in run.predict([*written])] == [*written.values()]
    assert run.evaluate(examples)["exact_match"] == 1.0
    run.export(tmp_path / "saved", check=False)
    saved = tf.saved_model.load(tmp_path / "saved").signatures["serving_default"]
    result = saved(tf.constant([*written]))["text"].numpy()
    assert [text.decode() for text in result] == [*written.values()]


@pytest.mark.exhaustive
@pytest.mark.slow
def test_half_precision_learns() -> None:
    examples = reversals(8, 1)
    task = template(layers=2).adapt(examples)
    keras.utils.set_random_seed(0)
    loop = Loop(
        task, settings(batch_size=8, precision="mixed_float16"), 12, tf.distribute.get_strategy()
    )
    data = task.data(examples)
    plan = repeat(make_plan(data, Padding([6], [7]), 8), 12)
    losses = [loop.means()[0] * step for step, _ in enumerate(loop.train(data, plan), 1)]
    assert np.isfinite(losses).all() and losses[-1] - losses[-2] < losses[0]


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (
            {"attention": "both"},
            "`attention` must be one of 'additive', 'multiplicative', 'monotonic'",
        ),
        ({"scheduled_sampling": 1.0}, "`scheduled_sampling` must be at least 0 and below 1, got"),
        ({"vocabulary_size": 3}, "`vocabulary_size` must be at least 5, got 3"),
    ],
)
def test_options_out_of_range(choices: dict, message: str) -> None:
    with pytest.raises(SeqzooError, match=message):
        template(**choices)


def test_targets_that_cannot_be_learned() -> None:
    with pytest.raises(SeqzooError, match="Training and evaluation need targets"):
        template().adapt(Examples(["a"]))
    with pytest.raises(SeqzooError, match="Text was expected, but example 1 is of type int"):
        template().adapt(Examples(["a", "b"], ["x", 3]))


@pytest.mark.exhaustive
@pytest.mark.slow
def test_training_loss_compares_with_that_of_validation() -> None:
    examples = reversals(8, 5)
    task = template(label_smoothing=0.3).adapt(examples)
    loop = Loop(task, settings(batch_size=8, learning_rate=1e-9), 1, tf.distribute.get_strategy())
    data = task.data(examples)
    plan = make_plan(data, Padding([6], [8]), 8)
    list(loop.train(data, plan))
    shown, scored = loop.means()[0], loop.score(data, plan)[0]
    assert shown == pytest.approx(scored, rel=1e-4)
    # Training minimises the smoothed loss.
    outcome = task.forward(loop.model, batch_of(task, examples, Padding([6], [8])), True)
    assert np.abs(outcome.losses - outcome.reported).max() > 1e-3


def test_attention_is_drawn_over_normalised_characters() -> None:
    template = ManyToManyEncoderDecoder(nfc=True, lowercase=True, units=3, minimum_count=1)
    task: Any = template.adapt(Examples(["cafe", "ab"], ["a", "b"]))
    model = task.build("float32")
    (look,) = task.looks(model, ["cafe\u0301 \u0130x"], ["the input"], PredictionOptions(1))
    assert look[0] == ["c", "a", "f", "\u00e9", " ", "i", "\u0307", "x"]
    assert look[2].shape[1] == len(look[0])


def test_probability_of_a_token_is_the_geometric_mean() -> None:
    logs = np.log(np.array([[[0.5, 0.25, 0.125], [0.5, 1.0, 1.0]]], np.float32))
    decoded = Decoded(
        tokens=tf.zeros([1, 2, 2], tf.int32),
        lengths=tf.constant([[2, 1]]),  # each followed by an end token, the second by a certain one
        log_probabilities=tf.reduce_sum(logs, 2),
        scores=tf.zeros([1, 2]),
        token_log_probabilities=tf.constant(logs),
        attention=None,
        terms=tf.constant([[3, 2]]),
    )
    result = decoded.token_probabilities().numpy()
    np.testing.assert_allclose(result, [[(0.5 * 0.25 * 0.125) ** (1 / 3), 0.5**0.5]], rtol=1e-5)
    examples = reversals(4, 6)
    task = template().adapt(examples)
    (answer, *_) = task.predictions(
        {
            "texts": [np.array([b"ab", b"cd"])],
            "log_probabilities": [np.log([0.25, 0.125])],
            "token_probabilities": [np.array([0.75, 0.5])],
        },
        examples.inputs[:1],
        PredictionOptions(),
    )
    assert answer.probability == pytest.approx(0.25) and answer.token_probabilities == (0.75, 0.5)


def test_targets_are_learned_and_scored_in_lower_case() -> None:
    examples = Examples(["ab", "ba", "aa"], ["AB", "Ba", "aA"])
    task: Any = template(lowercase_targets=True).adapt(examples)
    assert {"a", "b"} <= set(task.texts.vocabulary.tokens) and not {"A", "B"} & set(
        task.texts.vocabulary.tokens
    )
    results = {"texts": [np.array([item]) for item in (b"ab", b"ba", b"bb")]}
    data = task.data(examples)
    metrics = task.compute_metrics(results, data, examples, PredictionOptions())
    assert metrics["exact_match"] == pytest.approx(2 / 3)
    kept = template().adapt(examples)
    assert kept.compute_metrics(results, data, examples, PredictionOptions())["exact_match"] == 0.0
