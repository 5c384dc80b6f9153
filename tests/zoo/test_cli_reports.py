"""Tables and lines that commands print."""

from types import SimpleNamespace

import numpy as np
import pytest

from seqzoo.tasks import ManyToOne
from seqzoo.tasks.base import Answer
from seqzoo.tasks.data.examples import Examples
from seqzoo.zoo.commands import output as reports
from seqzoo.zoo.commands import prediction_lines as predicting
from seqzoo.zoo.commands import train_summary as summary
from seqzoo.zoo.commands import training


def test_what_separates_fields_and_lines_is_not_printed_in_them() -> None:
    rows = [["a\tb", "c\r\nd"], ["e", "f\u2028g"]]
    assert reports.table(["x", "y"], rows).split("\n") == ["x\ty", "a b\tc d", "e\tf g"]
    answer = Answer("a\tb", "a\tb", 0.75, (("a\tb", 0.75), ("c\nd", 0.25)))
    assert predicting._answer(1, answer, 2, "text") == "a b\t0.7500\tc d\t0.2500"


@pytest.mark.parametrize(
    "target, truths, answers, wrong",
    [
        ("class", ["x", "y"], ["x", "x"], ["", "x"]),
        ("labels", [("x", "y"), ("x",), ()], [("y", "x"), ("y",), ()], ["", "x", ""]),
        ("value", np.array([1.5, 2.0], np.float32), [1.5, 2.25], ["", ""]),
    ],
)
def test_wrong_answers_are_marked(target, truths, answers, wrong) -> None:
    inputs = [f"text {index}" for index in range(len(answers))]
    given = [Answer(str(value), value, None if target == "value" else 0.5) for value in answers]
    run = SimpleNamespace(
        task=ManyToOne(input="words", target=target),
        folder="runs/one",
        predict=lambda asked: [given[inputs.index(text)] for text in asked],
    )
    trained = training.Trained(run, "test", Examples(inputs, truths), {"examples": len(inputs)})
    lines = summary.summary(trained, "seqzoo").splitlines()
    start = lines.index("input\tanswer\tprobability\ttruth\twrong") + 1
    assert [line.split("\t")[4] for line in lines[start : start + len(inputs)]] == wrong


def test_scores_of_entities_stand_in_the_line() -> None:
    told = reports.line({"accuracy": 0.5, "entities": {"f1": 0, "labels": {}}})
    assert told == "accuracy 0.5000, entity F1 0.0000"


def test_examples_are_picked_in_any_order() -> None:
    examples = Examples(np.arange(6).reshape(3, 2), ["a", "b", "c"], range(5, 8))
    few = examples.pick([2, 0])
    assert few.inputs.tolist() == [[4, 5], [0, 1]] and few.targets == ["c", "a"]
    assert few.place(0) == "line 7" and examples.pick([1]).place(0) == "line 6"


def test_examples_that_an_evaluation_shows_are_no_figures() -> None:
    figures = {"accuracy": 0.5, "confusion": [[1]], "samples": [{"tokens": ["a"]}]}
    assert reports.figures_alone(figures) == {"accuracy": 0.5, "confusion": [[1]]}
