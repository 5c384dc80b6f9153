"""Language models: states carried through windows, scores, continuations, and exports."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from task_data import settings
from training_cases import RecordingProgress, assert_same

import seqzoo.cells
from seqzoo.tasks import Examples, Interrupted, ManyToManyAligned, SeqzooError, Splits
from seqzoo.tasks.base import PredictionOptions
from seqzoo.tasks.data.batches import Padding, batches
from seqzoo.tasks.decoding import Decoding
from seqzoo.tasks.runs.run import Run
from seqzoo.tasks.runs.session import Stepper
from seqzoo.tasks.targets.texts import END, START
from seqzoo.tasks.training import epochs
from seqzoo.tasks.training.step import Loop
from seqzoo.tasks.training.trainer import describe, train

GREEDY = PredictionOptions(decoding=Decoding("greedy", maximum_length=6))


@pytest.fixture(autouse=True)
def plain_loop():
    """Traces the plain loop, which costs no compilation."""
    with seqzoo.cells.portable():
        yield


def _template(**choices) -> ManyToManyAligned:
    return ManyToManyAligned(
        **{
            "input": "characters",
            "target": "next",
            "cell": "gru",
            "units": 7,
            "embedding": 5,
            "window": 4,
            "minimum_count": 1,
            **choices,
        }
    )


def _texts(count: int = 12, seed: int = 0, longest: int = 14) -> list[str]:
    """Texts in which only two letters can follow each letter."""
    random, texts = np.random.default_rng(seed), []
    for length in random.integers(1, longest, count):
        at = [int(random.integers(6))]
        for _ in range(length - 1):
            at.append((at[-1] * 2 + int(random.integers(2))) % 6)
        texts.append("".join("abcdeé"[index] for index in at))
    return texts


def _run(folder, texts: list[str], **choices) -> Run:
    """A run whose model has random weights, biases included."""
    chosen = _template(**choices)
    task = chosen.adapt(Examples(texts))
    padding = Padding.choose(task.data(Examples(texts)), 3, 4)
    config = describe(chosen, task, settings(batch_size=3), {}, padding)
    run = Run.create(folder, config, task)
    keras.utils.set_random_seed(0)
    model = task.build("float32")
    random = np.random.default_rng(1)
    for weight in model.weights:
        weight.assign(random.normal(0, 0.6, weight.shape))
    model.save(folder / "model.keras")
    return run


def _log_probabilities(run: Run, text: str) -> np.ndarray:
    """Of each step of a text, of a model with one "vanilla" layer: (steps, ids)."""
    known = {token: index for index, token in enumerate(run.task.texts.vocabulary.tokens, 2)}
    decoder = run.model.decoder
    vectors = decoder.embedding.embeddings.numpy()
    dense, offset = (weight.numpy() for weight in decoder.output_layer.weights)
    cell = decoder.recurrent[0].cell
    kernel, recurrent, bias = (weight.numpy() for weight in cell.weights)
    h, rows = np.zeros(7), []
    for token in [START, *(known[character] for character in text)]:
        h = np.tanh(vectors[token] @ kernel + h @ recurrent + bias)
        logits = h @ dense + offset
        rows.append(logits - np.log(np.exp(logits).sum()))
    return np.array(rows)


def _nats(run: Run, text: str, end: bool = True) -> float:
    known = {token: index for index, token in enumerate(run.task.texts.vocabulary.tokens, 2)}
    targets = [known[character] for character in text] + [END] * end
    rows = _log_probabilities(run, text)
    return -sum(row[target] for row, target in zip(rows, targets, strict=False))


def test_scores_do_not_depend_on_the_windows(tmp_path) -> None:
    texts = _texts(9, 3)
    run = _run(tmp_path / "run", texts, cell="vanilla")
    nats = [_nats(run, text) for text in texts]
    assert run.score(texts) == pytest.approx([-item for item in nats], rel=1e-5)
    with pytest.raises(SeqzooError, match="got one text; put it in a list"):
        run.score(texts[0])
    metrics = run.evaluate(Examples(texts))
    steps = sum(len(text) + 1 for text in texts)
    assert metrics["loss"] == metrics["nats"] == pytest.approx(sum(nats) / steps, rel=1e-5)
    assert metrics["perplexity"] == pytest.approx(np.exp(sum(nats) / steps), rel=1e-5)
    assert metrics["tokens"] == steps and metrics["examples"] == 9 and metrics["unknown"] == 0
    characters = steps - len(texts)
    expected = sum(nats) / np.log(2) / characters
    assert metrics["bits_per_character"] == pytest.approx(expected, rel=1e-5)
    assert run.evaluate(Examples(["a?c"]))["unknown"] == pytest.approx(1 / 4)


def test_one_text_has_no_end(tmp_path) -> None:
    texts = _texts(9, 3)
    run = _run(tmp_path / "run", texts, cell="vanilla", whole=True)
    text = "".join(texts)
    nats = _nats(run, text, end=False)
    assert run.score([text]) == pytest.approx([-nats], rel=1e-5)
    metrics = run.evaluate(Examples(texts))
    # Lanes begin with a start token, far enough before the steps that count.
    assert metrics["tokens"] == len(text)
    assert metrics["nats"] == pytest.approx(nats / len(text), rel=1e-5)
    assert len(run.predict(["ab"], GREEDY)[0].value) == 6


def _losses(run: Run, texts: list[str], noise: bool) -> np.ndarray:
    """The summed loss of each text, with the states carried over by the test."""
    task, total = run.task, np.zeros(len(texts))
    data = task.data(Examples(texts))
    plan = data.plan(run.padding, run.settings, seed=(0, 0))
    random = np.random.default_rng(0)
    carried = tuple(tf.zeros([3, units]) for units in task.carries)
    for batch in batches(data, plan):
        values = batch["values"].numpy()
        inside = np.arange(values.shape[1]) < batch["lengths"].numpy()[:, None]
        if noise:
            values = np.where(inside, values, random.integers(0, 8, values.shape))
        fed = {**batch, "values": tf.constant(values, tf.int32), "carried": carried}
        outcome = task.forward(run.model, fed, False)
        new = outcome.carried
        for old, item in zip(carried, new, strict=True):
            same = np.isclose(old, item).all(1)
            assert same[batch["aside"].numpy()].all()
        carried = new
        np.add.at(total, batch["rows"].numpy(), outcome.losses.numpy() * batch["weights"].numpy())
    return total


@pytest.mark.parametrize("cell", ["lstm", pytest.param("gru", marks=pytest.mark.slow)])
def test_padding_has_no_effect(cell: str, tmp_path) -> None:
    texts = _texts(15, 5)
    run = _run(tmp_path / "run", texts, cell=cell, layers=2)
    assert any(len(text) < 4 for text in texts) and any(len(text) > 8 for text in texts)
    clean, noisy = (_losses(run, texts, noise) for noise in (False, True))
    np.testing.assert_allclose(noisy, clean, rtol=1e-5)
    # All texts except those at the end of one lane and the start of the next, which training cuts.
    whole = -np.array(run.score(texts))
    assert np.isclose(clean, whole, rtol=1e-4).sum() >= len(texts) - 2


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.quick_for("gru-float32", rest="exhaustive")
@pytest.mark.parametrize(
    "cell, precision",
    [
        ("gru", "float32"),
        ("lstm", "mixed_bfloat16"),
        pytest.param("gru", "mixed_float16", marks=pytest.mark.slow),
    ],
)
def test_core_cell_learns_and_is_saved(cell: str, precision: str, tmp_path) -> None:
    task = _template(cell=cell, layers=2, tied=cell == "gru").adapt(Examples(_texts(40)))
    keras.utils.set_random_seed(0)
    chosen = settings(batch_size=8, precision=precision, schedule="constant")
    data = task.data(Examples(_texts(40)))
    padding = Padding.choose(data, 2, 8)
    plan = data.plan(padding, chosen, seed=(0, 0))
    loop, losses = Loop(task, chosen, len(plan), tf.distribute.get_strategy()), []
    for epoch in range(5):
        list(loop.train(data, data.plan(padding, chosen, seed=(0, epoch))))
        losses.append(loop.means()[0])
        assert any(state.numpy().any() for state in loop.carried)
        loop.next_epoch()
        assert not any(state.numpy().any() for state in loop.carried)
    assert losses[-1] < 0.9 * losses[0], losses
    assert loop._train is not None and loop._train.experimental_get_tracing_count() == 1
    loop.model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    tokens = tf.constant([[2, 4, 5], [6, 5, 4]])
    for mine, other in zip(again(tokens)[1], loop.model(tokens)[1], strict=True):
        np.testing.assert_array_equal(mine, other)
    np.testing.assert_array_equal(again(tokens)[0], loop.model(tokens)[0])
    assert again(tokens)[0].dtype == tf.float32


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize("whole", [pytest.param(False, marks=pytest.mark.slow), True])
def test_resumed_in_mid_epoch_with_the_same_numbers(whole: bool, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(epochs, "REPORT_SECONDS", 0.0)
    splits = Splits(Examples(_texts(30)), Examples(_texts(6, 9)))
    chosen = settings(batch_size=4)
    arguments = (_template(whole=whole, dropout=0.1), splits, chosen)
    train(*arguments, tmp_path / "unbroken")
    with pytest.raises(Interrupted):
        train(*arguments, tmp_path / "broken", progress=RecordingProgress(5))
    carried = tf.train.load_checkpoint(str(tmp_path / "broken" / "checkpoints"))
    states = [n for n, shape in carried.get_variable_to_shape_map().items() if shape == [4, 7]]
    assert any(carried.get_tensor(name).any() for name in states)
    train(*arguments, tmp_path / "broken", resume=True)
    assert_same(tmp_path / "unbroken", tmp_path / "broken")


def _greedy(run: Run, prompt: str, steps: int) -> tuple[str, float]:
    """The most probable token again and again, and their log-probability, the end's included."""
    tokens, text, total = run.task.texts.vocabulary.tokens, "", 0.0
    for _ in range(steps):
        row = _log_probabilities(run, prompt + text)[-1]
        best = max((i for i in range(len(row)) if i not in (0, 1, START)), key=lambda i: row[i])
        total += row[best]
        if best == END:
            return text, total
        text += tokens[best - 2]
    return text, total + _log_probabilities(run, prompt + text)[-1][END]


@pytest.mark.slow
def test_prompts_of_all_lengths_continue_independently(tmp_path) -> None:
    run = _run(tmp_path / "run", _texts(30), cell="vanilla")
    prompts = ["", "a", "bcdeabé", "é" * 40, "c", "ab", "deabcdeabcd"]
    for prompt, answer in zip(prompts, run.predict(prompts, GREEDY), strict=True):
        text, total = _greedy(run, prompt, 6)
        assert answer.label == text
        assert answer.probability == pytest.approx(np.exp(total), rel=1e-4)
    for method in ("greedy", "beam", "sample"):
        choices = Decoding(method, maximum_length=6, count=1, beam_width=3)
        (answer,) = run.predict([""], PredictionOptions(decoding=choices, seed=4))
        (score,) = run.score([answer.label])
        assert answer.probability == pytest.approx(np.exp(score), rel=1e-4)


def test_samples_depend_only_on_seed_and_position(tmp_path) -> None:
    run = _run(tmp_path / "run", _texts(30))
    options = PredictionOptions(decoding=Decoding("sample", 3, maximum_length=8), seed=3)
    prompts = ["abcde", "", "c", "", "abababab", "a", "b"]
    together = [answer.alternatives for answer in run.predict(prompts, options)]
    assert together == [answer.alternatives for answer in run.predict(prompts, options)]
    (alone,) = run.predict(prompts[:1], options)
    assert [text for text, _ in alone.alternatives] == [text for text, _ in together[0]]
    assert together[1] != together[3]
    other = PredictionOptions(decoding=options.decoding, seed=5)
    assert [answer.alternatives for answer in run.predict(prompts, other)] != together
    lukewarm = Decoding("sample", maximum_length=8, temperature=1e-4)
    cold = run.predict(prompts, PredictionOptions(decoding=lukewarm, seed=3))
    best = run.predict(prompts, PredictionOptions(decoding=Decoding("greedy", maximum_length=8)))
    assert [answer.label for answer in cold] == [answer.label for answer in best]


@pytest.mark.exhaustive
@pytest.mark.slow
def test_exported_model_does_not_need_seqzoo(tmp_path, clean_tensorflow) -> None:
    kinds = {
        "drawn": ({}, Decoding("sample", 2, maximum_length=9, top_k=4)),
        "whole": ({"whole": True, "layers": 2}, Decoding("beam", 2, maximum_length=5)),
        "words": ({"input": "words", "cell": "lstm"}, Decoding(maximum_length=5)),
    }
    runs = {}
    for name, (choices, decoding) in kinds.items():
        texts = [" ".join(text) for text in _texts(30)] if name == "words" else _texts(30)
        runs[name] = _run(tmp_path / name, [*texts, "é a"], **choices)
        runs[name].export(
            tmp_path / name / "saved", PredictionOptions(decoding=decoding, seed=7), check=False
        )
    for name, (_, decoding) in kinds.items():
        prompts = ["ab", "", "ecda é", "e"]
        ours = runs[name].predict(prompts, PredictionOptions(decoding=decoding, seed=7))
        theirs = clean_tensorflow.answers(tmp_path / name / "saved", {"text": prompts})
        assert theirs["text"].tolist() == [answer.label.encode() for answer in ours]
        expected = [answer.probability for answer in ours]
        np.testing.assert_allclose(np.exp(theirs["log_probability"]), expected, rtol=1e-4)
        assert [len(row) for row in theirs["texts"]] == [decoding.count] * 4
        theirs = clean_tensorflow.answers(tmp_path / name / "saved", {"text": prompts}, "score")
        scores = runs[name].score(prompts)
        np.testing.assert_allclose(theirs["log_probability"], scores, rtol=1e-5, atol=1e-6)
        ends = 0 if name == "whole" else 1
        words = [1, 0, 2, 1] if name == "words" else [2, 0, 6, 1]
        assert theirs["tokens"].tolist() == [count + ends for count in words]


def test_invalid_options_and_texts_are_reported(tmp_path) -> None:
    with pytest.raises(SeqzooError, match="`bidirectional` must be off"):
        _template(bidirectional=True)
    with pytest.raises(SeqzooError, match="no cell named 'gruu'"):
        _template(cell="gruu").adapt(Examples(["a"]))
    with pytest.raises(SeqzooError, match="example 1 is of type int"):
        _template().adapt(Examples(["a", 3]))
    with pytest.raises(SeqzooError, match="must have at least one character"):
        _template(whole=True).adapt(Examples(["ab"])).data(Examples([""]))
    run = _run(tmp_path / "run", ["ab"])
    with pytest.raises(SeqzooError, match="example 0 is of type NoneType"):
        run.score([None])  # pyright: ignore[reportArgumentType]
    assert run.predict([]) == [] and run.score([]) == []


def test_a_model_that_reads_backward_has_no_session() -> None:
    task = _template(backward=True).adapt(Examples(["ab c", "b, a"]))
    with pytest.raises(SeqzooError, match="part by part, because it reads a text from its end"):
        Stepper(task, task.build("float32"))
