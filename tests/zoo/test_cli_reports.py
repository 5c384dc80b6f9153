"""Tables and lines that commands print."""

import json
import pathlib
import shlex
from types import SimpleNamespace

import numpy as np
import pytest

from seqzoo.tasks import ManyToOne, OneToMany
from seqzoo.tasks.base import Prediction
from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.data.stored_columns import ClassColumn
from seqzoo.zoo import output
from seqzoo.zoo.data import fields
from seqzoo.zoo.data.splits import Part, to_splits
from seqzoo.zoo.inference import prediction_lines
from seqzoo.zoo.training import summary
from seqzoo.zoo.training.train import Trained, rare_labels


def test_separators_are_not_printed_within_fields_and_lines() -> None:
    rows = [["a\tb", "c\r\nd"], ["e", "f\u2028g"]]
    assert output.table(["x", "y"], rows).split("\n") == ["x\ty", "a b\tc d", "e\tf g"]
    answer = Prediction("a\tb", "a\tb", 0.75, (("a\tb", 0.75), ("c\nd", 0.25)))
    assert prediction_lines._formatted(1, answer, 2, "text") == "a b\t0.7500\tc d\t0.2500"


def test_tables_without_a_standard_output_are_those_of_a_pipe(monkeypatch) -> None:
    monkeypatch.setattr("sys.stdout", None)
    assert output.table(["x"], [["a"]]) == "x\na"


@pytest.mark.parametrize(
    "target, truths, answers, wrong",
    [
        ("class", ["x", "y"], ["x", "x"], ["", "x"]),
        ("labels", [("x", "y"), ("x",), ()], [("y", "x"), ("y",), ()], ["", "x", ""]),
        ("value", np.array([1.5, 2.0], np.float32), [1.5, 2.25], ["", ""]),
    ],
)
def test_wrong_predictions_are_marked(target, truths, answers, wrong) -> None:
    inputs = [f"text {index}" for index in range(len(answers))]
    given = [Prediction(str(value), value, None if target == "value" else 0.5) for value in answers]
    run = SimpleNamespace(
        template=ManyToOne(input="words", target=target),
        task=None,
        folder="runs/one",
        predict=lambda texts: [given[inputs.index(text)] for text in texts],
    )
    trained = Trained(run, "test", Examples(inputs, truths), {"examples": len(inputs)})
    lines = summary.summary(trained, "seqzoo").splitlines()
    start = lines.index("input\tprediction\tprobability\ttruth\twrong") + 1
    assert [line.split("\t")[4] for line in lines[start : start + len(inputs)]] == wrong


def test_names_of_metrics_are_words_and_no_number_is_printed_twice() -> None:
    metrics = {"loss": 1.50001, "nll": 1.5, "macro_accuracy": 0.25, "note_f1": 0.5, "in_all": 1000}
    assert output.metrics_line(metrics) == (
        "nll 1.5000, balanced accuracy 0.2500, note F1 0.5000, in all 1,000"
    )
    assert output.metrics_line({"loss": 1.6, "nll": 1.5}) == "loss 1.6000, nll 1.5000"


@pytest.mark.parametrize(
    "value, kind, expected",
    [
        (np.arange(20.0) / 2, "series", "'0 0.5 1 1.5 2 2.5 3 3.5'"),
        (np.arange(6.0).reshape(3, 2), "series", "'[[0, 1], [2, 3], [4, 5]]'"),
        (np.arange(3.0), "vector", "'0 1 2'"),
        (np.arange(10.0), "vector", "'0 1 2 3 4 5 6 7 8 9'"),
        (np.arange(784.0), "vector", "'784 numbers separated by spaces'"),
        (np.zeros((28, 28)), "rows", "picture.png"),
        (b"...", "image", "picture.png"),
        (np.zeros(9), "audio", "recording.wav"),
    ],
)
def test_inputs_other_than_text_are_shown_as_they_are_typed(value, kind, expected) -> None:
    assert summary.typed(value, kind) == expected
    if kind in ("series", "vector") and len(value) < 99:
        (word,) = shlex.split(expected)
        read = fields.reader(kind, pathlib.Path())(word)
        assert read.tolist() == value[: len(read)].tolist()


def test_texts_are_printed_with_the_probability_of_a_token() -> None:
    answer = Prediction("a b", "a b", 1e-9, (("a b", 1e-9), ("c", 1e-12)), (0.5, 0.25))
    assert prediction_lines._formatted(1, answer, 2, "text") == "a b\t0.5000\tc\t0.2500"
    report = json.loads(prediction_lines._formatted(1, answer, 1, "jsonl"))
    assert (report["probability"], report["token_probability"]) == (1e-9, 0.5)
    examples = Examples(["x"], ["a b"])
    template = OneToMany(input="class")
    run = SimpleNamespace(
        template=template,
        task=template.adapt(examples),
        folder="runs/one",
        predict=lambda asked: [answer] * len(asked),
    )
    trained = Trained(run, "test", examples, {"examples": 1})
    lines = summary.summary(trained, "seqzoo").splitlines()
    at = lines.index("input\tprediction\tprobability of a token\ttruth\twrong")
    assert lines[at + 1] == "x\ta b\t0.50\ta b\t"


def test_steps_of_a_few_long_series_are_printed() -> None:
    def part(name, examples) -> Part:
        return Part(name, examples, [bytes(item) for item in range(len(examples))], None)

    long, short = Examples([np.zeros(8640)]), Examples([np.zeros(5)] * 2)
    parts = {"train": part("a", long), "test": part("b", short)}
    assert to_splits("etth1.csv", parts, []).description == (
        "etth1.csv: 1 training example (8,640 steps), 2 test examples."
    )
    parts = {"train": part("a", Examples(["x" * 2000]))}
    assert (
        to_splits("a.txt", parts, []).description == "a.txt: 1 training example (2,000 characters)."
    )


def test_scores_of_entities_are_in_the_line() -> None:
    printed = output.metrics_line(
        {"accuracy": 0.5, "entity_f1": 0.0, "entities": {"f1": 0.0, "labels": {}}}
    )
    assert printed == "accuracy 0.5000, entity F1 0.0000"


def test_examples_are_picked_in_any_order() -> None:
    examples = Examples(np.arange(6).reshape(3, 2), ["a", "b", "c"], range(5, 8))
    few = examples.pick([2, 0])
    assert few.inputs.tolist() == [[4, 5], [0, 1]] and few.targets == ["c", "a"]
    assert few.location(0) == "line 7" and examples.pick([1]).location(0) == "line 6"


def test_examples_that_an_evaluation_shows_are_not_metrics() -> None:
    metrics = {"accuracy": 0.5, "confusion": [[1]], "samples": [{"tokens": ["a"]}]}
    assert output.without_samples(metrics) == {"accuracy": 0.5, "confusion": [[1]]}


def test_labels_with_a_single_example_are_named() -> None:
    labels = ["pos", "neg", "pos", "neutral", "neg"]
    expected = "Labels with a single training example: 1 of 3 (neutral)"
    assert rare_labels(labels, "class").startswith(expected)
    stored = ClassColumn(["pos", "neg", "neutral"], np.array([0, 1, 0, 2, 1]))
    assert rare_labels(stored, "class") == rare_labels(labels, "class")
    assert "(b)" in rare_labels([("a", "b"), ("a",)], "labels")
    assert rare_labels(labels[:3] + ["neg"], "class") == rare_labels([1.0, 2.0], "value") == ""
