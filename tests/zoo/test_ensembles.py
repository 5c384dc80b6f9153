"""Ensembles: averaged predictions of several runs, in Python and on the command line."""

import itertools
import json
import pathlib
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from cell_names import BEFORE_RELEASES
from cli_cases import MANY_TO_ONE, seqzoo

import seqzoo.zoo as zoo
from seqzoo.tasks import (
    Decoding,
    Examples,
    Forecast,
    History,
    ManyToManyAligned,
    ManyToManyEncoderDecoder,
    ManyToOne,
    SeqzooError,
    Splits,
    TrainingSettings,
    train,
)
from seqzoo.tasks.base import PredictionOptions
from seqzoo.tasks.data.batches import Padding
from seqzoo.tasks.data.stored_columns import ClassColumn
from seqzoo.tasks.metrics.bio import bio_constraints
from seqzoo.tasks.runs.ensemble import Ensemble, mean_logits, most_probable
from seqzoo.tasks.runs.run import Run
from seqzoo.tasks.seq2seq.mean_generator import MeanGenerator
from seqzoo.tasks.targets.classes import ClassTargets
from seqzoo.tasks.targets.labels import LabelTargets
from seqzoo.tasks.training.trainer import describe
from seqzoo.zoo.inference.options import prediction_options

OFFSET = 1.7e9

TEXTS = ["axyzx", "bzzxy", "xxbay"]


@pytest.fixture(scope="module")
def other(trained, tmp_path_factory) -> pathlib.Path:
    """A run on the same table as `trained`, of another cell, size and seed."""
    folder = tmp_path_factory.mktemp("other") / "run"
    words = ["--data", trained / "data.csv", "--cell", "gru", "--units", 5, "--seed", 4]
    result = seqzoo(*MANY_TO_ONE, *words, "--epochs", 1, "--run", folder)
    assert result.exit_code == 0, result.stderr
    return folder


def test_mean_logits_are_those_of_mean_probabilities() -> None:
    outputs = np.random.default_rng(0).normal(0, 3, (3, 4, 5))
    shares = np.exp(outputs) / np.exp(outputs).sum(-1, keepdims=True)
    result = np.exp(mean_logits(ClassTargets(list("abcde"), 0.0), outputs))
    np.testing.assert_allclose(result, shares.mean(0), rtol=1e-12)
    result = mean_logits(LabelTargets(list("abcde")), outputs)
    wanted = (1 / (1 + np.exp(-outputs))).mean(0)
    np.testing.assert_allclose(1 / (1 + np.exp(-result)), wanted, rtol=1e-12)


def test_long_sequences_have_a_joint_probability(monkeypatch) -> None:
    ensemble = Ensemble.__new__(Ensemble)
    results = [{"loss": [1000.0, 2.0]}, {"loss": [1001.0, 2.0]}]
    monkeypatch.setattr(ensemble, "_collect", lambda *_: results)
    wanted = [-1000 + np.log((1 + np.exp(-1)) / 2), -2.0]
    np.testing.assert_allclose(ensemble._log_joint([], PredictionOptions()), wanted, rtol=1e-12)


def test_the_most_probable_tags_are_well_formed() -> None:
    names = ["B-X", "I-X", "I-Y", "O"]
    moves, starts, ends = map(np.asarray, bio_constraints(names))
    probabilities = np.random.default_rng(1).dirichlet(np.ones(4), 5)
    best = max(
        (
            path
            for path in itertools.product(range(4), repeat=5)
            if starts[path[0]]
            and ends[path[-1]]
            and all(moves[one][two] for one, two in itertools.pairwise(path))
        ),
        key=lambda path: np.prod(probabilities[range(5), path]),
    )
    assert most_probable(probabilities, bio_constraints(names)).tolist() == list(best)
    free = most_probable(probabilities, None)
    assert free.tolist() == probabilities.argmax(-1).tolist() != list(best)


def test_classes_by_mean_probability(trained, other) -> None:
    folders = [str(trained / "run"), str(other)]
    ensemble = zoo.ensemble(folders)
    alone = [[dict(item.alternatives) for item in run.predict(TEXTS)] for run in ensemble.runs]
    examples = Examples(TEXTS, ["a-text", "b-text", "b-text"])
    result = ensemble.predict(TEXTS)
    losses = []
    for answer, one, two, truth in zip(result, *alone, examples.targets, strict=True):
        for label, probability in answer.alternatives:
            assert probability == pytest.approx((one[label] + two[label]) / 2, abs=1e-6)
        losses.append(-np.log((one[truth] + two[truth]) / 2))
    metrics = ensemble.evaluate(examples)
    assert metrics["loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    stored = ClassColumn(["a-text", "b-text"], np.array([0, 1, 1], np.uint8))
    assert ensemble.evaluate(Examples(TEXTS, stored)) == metrics
    right = [item.value == truth for item, truth in zip(result, examples.targets, strict=True)]
    assert metrics["accuracy"] == pytest.approx(np.mean(right))

    shown = seqzoo("predict", folders[0], "--with", folders[1], "--json", *TEXTS).stdout
    lines = [json.loads(line) for line in shown.splitlines()]
    assert [item["answer"] for item in lines] == [item.value for item in result]
    assert lines[0]["probability"] == pytest.approx(result[0].probability)
    scored = json.loads(seqzoo("evaluate", folders[0], "--with", folders[1], "--json").stdout)
    wanted = ensemble.evaluate(zoo.open_source(zoo.Source(**ensemble.source))[0].test)
    assert scored["loss"] == pytest.approx(wanted["loss"]) and scored["examples"] == 6


@pytest.mark.slow
def test_numbers_are_averaged_in_their_units(tmp_path) -> None:
    draw = np.random.default_rng(0)
    inputs = [draw.normal(size=(4, 1)) for _ in range(12)]
    settings = TrainingSettings(epochs=1, batch_size=6)
    runs = []
    for number, scale in enumerate((1.0, 50.0)):  # each standardises by its own training examples
        examples = Examples(inputs, [OFFSET + scale * float(item.sum()) for item in inputs])
        template = ManyToOne("series", "value", cell="vanilla", units=3)
        runs.append(train(template, Splits(examples), settings, tmp_path / str(number)))
    ensemble = zoo.ensemble(runs)
    one, two = ([item.value for item in run.predict(inputs)] for run in runs)
    wanted = np.add(one, two) / 2
    results = [item.value for item in ensemble.predict(inputs)]
    # In 32 bits, numbers of this size are multiples of 128.
    np.testing.assert_allclose(np.subtract(results, OFFSET), wanted - OFFSET, rtol=1e-4)
    assert not np.allclose(np.subtract(one, OFFSET), np.subtract(two, OFFSET), rtol=1e-2)
    truths = OFFSET + np.linspace(-10, 20, 12)
    metrics = ensemble.evaluate(Examples(inputs, truths))
    assert metrics["mae"] == pytest.approx(np.abs(wanted - truths).mean(), rel=1e-4)


@pytest.mark.slow
def test_tags_by_mean_probability(tmp_path) -> None:
    """One run with a CRF and one without; of both together the joint probability is the mean."""
    sentences = [["an", "Ann"], ["Ann", "Lee", "ran"], ["he", "ran"]] * 2
    tags = [["O", "B"], ["B", "I", "O"], ["O", "O"]] * 2
    splits = Splits(Examples(sentences, tags))
    settings = TrainingSettings(epochs=1, batch_size=6)
    options = {"cell": "vanilla", "units": 3, "embedding": 3, "minimum_count": 1}
    runs = [
        train(
            ManyToManyAligned("words", "tags", crf=crf, **options),
            splits,
            settings,
            tmp_path / name,
        )
        for name, crf in (("with", True), ("without", False))
    ]
    ensemble = zoo.ensemble(runs)
    result = ensemble.predict(sentences[:3])
    for sentence, answer in zip(sentences, result, strict=False):
        assert len(answer.value) == len(answer.step_probabilities) == len(sentence)
        truth = Examples([sentence], [list(answer.value)])
        # The loss of a run is that of all tags, divided by their number.
        shares = [np.exp(-run.evaluate(truth)["loss"] * len(sentence)) for run in runs]
        assert answer.probability == pytest.approx(np.mean(shares), rel=1e-4)
        loss = ensemble.evaluate(truth)["loss"]
        assert loss == pytest.approx(-np.log(np.mean(shares)) / len(sentence), rel=1e-4)
    assert ensemble.evaluate(Examples(sentences, tags))["examples"] == 6

    with pytest.raises(SeqzooError, match="the same tags, got B, I, O in .* and N, O in "):
        others = Splits(Examples([["a", "b"]] * 4, [["N", "O"]] * 4))
        template = ManyToManyAligned("words", "tags", **options)
        zoo.ensemble([*runs, train(template, others, settings, tmp_path / "others")])


@pytest.mark.parametrize(
    "attention",
    [
        pytest.param("additive", marks=pytest.mark.slow),
        pytest.param("monotonic", marks=BEFORE_RELEASES),
        pytest.param("none", marks=BEFORE_RELEASES),
    ],
)
def test_texts_by_mean_probability_of_each_token(tmp_path, attention) -> None:
    words = ["abc", "cab", "bca", "acb", "bac", "ab"]
    splits = Splits(Examples(words, [word[::-1] for word in words]))
    settings = TrainingSettings(epochs=1, batch_size=6)
    options = {"embedding": 3, "minimum_count": 1, "copy": attention != "none"}
    kinds = [{"cell": "gru", "units": 4}, {"cell": "lstm", "units": 3}]
    runs = [
        train(
            ManyToManyEncoderDecoder(attention=attention, **options, **kind),
            splits,
            settings,
            tmp_path / kind["cell"],
        )
        for kind in kinds
    ]
    ensemble = zoo.ensemble(runs)
    task = runs[0].task
    batch = task.features.tensors(*task.features.raw(words, words))
    tokens = tf.constant(np.random.default_rng(0).integers(2, 5, (6, 4)), tf.int32)
    shares = [tf.nn.softmax(run.model({**batch, "tokens": tokens})).numpy() for run in runs]
    mean = np.exp(MeanGenerator(ensemble.model)({**batch, "tokens": tokens}).numpy())
    np.testing.assert_allclose(mean, np.mean(shares, 0), atol=1e-6)

    for decoding in (Decoding(maximum_length=5), Decoding("beam", beam_width=3, maximum_length=5)):
        chosen = PredictionOptions(decoding=decoding)
        for word, answer in zip(words, ensemble.predict(words, chosen), strict=True):
            truth = Examples([word], [answer.value])
            if len(answer.value) < 5:  # ended by the model
                loss = ensemble.evaluate(truth)["loss"] * (len(answer.value) + 1)
                assert answer.probability == pytest.approx(np.exp(-loss), rel=1e-4)
    metrics = ensemble.evaluate(splits.train)
    assert metrics["examples"] == 6 and "exact_match" in metrics
    with pytest.raises(
        SeqzooError, match="the same target vocabulary, got a, b, c in .* and y, z, x, w in "
    ):
        others = Splits(Examples(["xy", "abc", "wz"] * 2, ["xyz", "zyx", "wzy"] * 2))
        template = ManyToManyEncoderDecoder(attention=attention, **options, **kinds[0])
        zoo.ensemble([*runs, train(template, others, settings, tmp_path / "others")])


def test_what_cannot_be_averaged_is_one_line(trained, other, tmp_path) -> None:
    run = trained / "run"
    config = json.loads((other / "config.json").read_text())
    for name, change in (
        ("target", lambda item: item["prepared"]["targets"].update(names=["a-text", "c-text"])),
        ("data", lambda item: item["source"].update(test=0.3)),
    ):
        changed = json.loads(json.dumps(config))
        change(changed)
        folder = tmp_path / name
        folder.mkdir()
        for path in other.iterdir():
            if path.is_file():
                (folder / path.name).write_bytes(path.read_bytes())
        (folder / "config.json").write_text(json.dumps(changed))
    for words, message in (
        (["predict", run, "x", "--with", tmp_path / "target"], "the same labels, got a-text, b"),
        (
            ["predict", "python-highlighter", "x", "--with", run],
            "the same template, got",
        ),
        (["predict", "date-normaliser", "x", "--with", run], "the same template, got"),
        (["predict", run, "x", "--with", tmp_path / "no"], "no is not a run folder"),
        (
            ["predict", run, "x", "--with", other, "--attention"],
            "--attention shows the attention of a single model",
        ),
        (["evaluate", run, "--with", tmp_path / "data"], "name a file with --data"),
    ):
        result = seqzoo(*words)
        assert result.exit_code == 2 and message in result.stderr, result.stderr
        assert result.stderr.count("\n") == 1
    with pytest.raises(SeqzooError, match="at least 2 runs, got 1"):
        zoo.ensemble([run])
    both = zoo.ensemble([run, other])
    with pytest.raises(SeqzooError, match="`inputs` must be a list of inputs, got int"):
        both.predict(3)
    with pytest.raises(SeqzooError, match="`options` must be `PredictionOptions`, got 3"):
        both.predict(["a"], 3)  # pyright: ignore[reportArgumentType]
    with pytest.raises(SeqzooError, match="`examples` must be `Examples`, got "):
        both.evaluate(["a"])  # pyright: ignore[reportArgumentType]


def _untrained(folder: pathlib.Path, template: Any, examples: Examples) -> Run:
    task = template.adapt(examples)
    run = Run(folder, describe(template, task, TrainingSettings(), {}, Padding([8], [8])), task)
    run.__dict__["model"] = task.build("float32")
    return run


def test_generators_with_other_inputs_are_refused(tmp_path) -> None:
    draw, texts = np.random.default_rng(0), ["ab", "ba", "aab", "bb"]
    small: Any = {"target": "characters", "units": 3, "embedding": 2, "minimum_count": 1}
    series = [Examples([draw.normal(mean, 1.0, (4, 1)) for _ in texts], texts) for mean in (1, 600)]
    template = ManyToManyEncoderDecoder("series", **small)
    one, two = (_untrained(tmp_path, template, item) for item in series)
    with pytest.raises(SeqzooError, match="must read inputs alike, but `mean` differs"):
        Ensemble([one, two])
    ensemble = Ensemble([one, _untrained(tmp_path, template, series[0])])
    penalty = PredictionOptions(1, Decoding(repetition_penalty=1.3))
    with pytest.raises(SeqzooError, match="`repetition_penalty` divides logits") as caught:
        ensemble.predict(series[0].inputs, penalty)
    assert caught.value.field == "repetition_penalty"
    columns = Examples(np.zeros((4, 6, 8), np.uint8), texts)
    runs = [
        _untrained(
            tmp_path, ManyToManyEncoderDecoder("columns", columns_per_step=count, **small), columns
        )
        for count in (1, 2)
    ]
    with pytest.raises(SeqzooError, match="must have the same columns_per_step, got 1 .* and 2"):
        Ensemble(runs)
    examples = Examples([{"text": text, "n": 1.0} for text in texts], texts)
    small = {"units": 3, "embedding": 2, "minimum_count": 1}
    runs = [
        _untrained(tmp_path, ManyToOne("characters", further_inputs={"n": kind}, **small), examples)
        for kind in ("number", "category")
    ]
    with pytest.raises(SeqzooError, match="must have the same further inputs, got .* and "):
        Ensemble(runs)


def test_forecasts_of_an_ensemble_have_the_same_columns(tmp_path) -> None:
    days = np.arange("2024-01-01", "2024-03-01", dtype="datetime64[D]")
    history = History(days, np.arange(len(days)) % 7.0)
    template = Forecast(look_back=6, horizon=2, units=3)
    one, two = (_untrained(tmp_path, template, Examples([history])) for _ in range(2))
    Ensemble([one, two])  # trained from Python
    one.source, two.source = {"target": "a", "past_columns": ["p"]}, {"target": "a"}
    with pytest.raises(SeqzooError, match="must have the same past covariates, got p in .* None"):
        Ensemble([one, two])


def test_all_forecasts_of_an_ensemble_have_intervals_or_none() -> None:
    ensemble = Ensemble.__new__(Ensemble)
    ensemble.runs = [SimpleNamespace(folder=name) for name in ("narrow", "wide")]  # pyright: ignore
    values = [np.zeros((2, 1)), np.ones((2, 1))]
    point = {"values": values, "quantiles": [np.zeros((2, 1, 3))] * 2}
    wide = {"values": values, "quantiles": [np.zeros((2, 1, 3)) + [-1, 0, 2]] * 2}
    with pytest.raises(SeqzooError, match="but wide does and narrow does not"):
        ensemble._mean_forecasts([point, wide])
    assert np.ptp(ensemble._mean_forecasts([wide, wide])["quantiles"][0]) == 3


def test_unknown_words_are_replaced_only_if_every_run_has_attention(tmp_path) -> None:
    examples = Examples(["x y", "y"] * 2, ["a", "b"] * 2)
    small: dict[str, Any] = {"units": 3, "embedding": 2, "minimum_count": 1}
    runs = [
        _untrained(
            tmp_path, ManyToManyEncoderDecoder("words", "words", attention=kind, **small), examples
        )
        for kind in ("additive", "none")
    ]
    options = PredictionOptions(1, Decoding(replace_unknown=True))
    for order in (runs, runs[::-1]):
        with pytest.raises(SeqzooError, match="only to models with attention"):
            Ensemble(order).predict(["x z"], options)


@pytest.mark.slow
def test_tags_of_an_ensemble_have_no_alternatives(tmp_path) -> None:
    template = ManyToManyAligned(units=3, embedding=2, minimum_count=1, crf=True)
    examples = Examples([("a", "b"), ("b",)] * 2, [("N", "V"), ("V",)] * 2)
    ensemble = Ensemble([_untrained(tmp_path, template, examples) for _ in range(2)])
    with pytest.raises(SeqzooError, match="`top` must be 1 for the tags of an ensemble, got 3"):
        ensemble.predict(["a b"], PredictionOptions(3))
    assert len(ensemble.predict(["a b"])) == 1
    with pytest.raises(SeqzooError, match="one string or a sequence of words .* has {'words'"):
        ensemble.predict([{"words": ("a",)}])
    # What `seqzoo evaluate` asks for.
    ensemble.evaluate(examples, prediction_options(ensemble.runs[0], None, {}))
