"""The mistakes of classifiers: their likely causes, likely label errors, and the command."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from cell_names import BEFORE_RELEASES
from cli_cases import seqzoo

import seqzoo.zoo as zoo
from seqzoo.tasks import Examples, Interrupted, ManyToOne, SeqzooError
from seqzoo.tasks.runs.run import Run
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.tasks.training import trainer
from seqzoo.zoo.mistakes.causes import Predictions, TrainingStatistics, causes_of
from seqzoo.zoo.mistakes.errors import report, weights_of_fold, with_labels_of
from seqzoo.zoo.mistakes.label_errors import likely_label_errors


def test_label_errors_are_those_of_confident_learning() -> None:
    # Mean probability of their own label: .7, .6 and .5.
    probabilities = np.array(
        [
            [0.9, 0.05, 0.05],
            [0.5, 0.4, 0.1],  # below the threshold of the second class
            [0.1, 0.8, 0.1],
            [0.15, 0.4, 0.45],  # not confident of the third
            [0.2, 0.25, 0.55],
            [0.74, 0.06, 0.2],  # labelled third, confidently the first
            [0.0, 0.25, 0.75],
        ]
    )
    labels = np.array([0, 0, 1, 1, 2, 2, 2])
    assert likely_label_errors(probabilities, labels) == [(5, 0)]
    # With the labels of two examples exchanged, both are found, the more confident one first.
    labels[[0, 2]] = 1, 0
    assert [pair for pair in likely_label_errors(probabilities, labels) if pair[0] in (0, 2)] == [
        (0, 0),
        (2, 1),
    ]


def test_a_label_that_the_model_agrees_with_is_no_error() -> None:
    # The mean probability of the rare class for its only example is low.
    rows = [[0.9, 0.06, 0.04], [0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.85, 0.05]]
    probabilities = np.array(rows)
    assert likely_label_errors(probabilities, np.array([0, 0, 1, 2])) == [(3, 1)]


def some(inputs: list[str], truths: list[int], predicted: list[int], unknown: float = 0.0):
    probabilities = np.full((len(truths), 3), 0.1)
    probabilities[np.arange(len(truths)), predicted] = np.linspace(0.6, 0.8, len(predicted))
    lengths = np.array([len(item) for item in inputs])
    return Predictions(
        ["a", "b", "c"],
        probabilities,
        np.array(truths),
        inputs,
        lengths,
        np.full(len(inputs), unknown),
    )


def test_causes_are_determined_from_the_training_examples() -> None:
    texts = ["Good, movie!", *(f"text {'x' * (n % 7)} {n}" for n in range(60))]
    labels = ["b", *["a"] * 30, *["b"] * 25, *["c"] * 5]
    training = TrainingStatistics.of(texts, labels, np.array([len(text) for text in texts]))
    inputs = ["good movie", "x", "y" * 40, "text xxx 1", "text xxx 2", "text xxx 7"]
    result = some(inputs, [0, 0, 0, 2, 0, 0], [1, 1, 1, 0, 2, 0])
    causes = causes_of(result, training)
    applying = [
        [name for name, applies in causes.items() if applies[index]] for index in range(len(inputs))
    ]
    assert applying == [
        ["another label in training", "confused pair"],
        ["very short", "confused pair"],
        ["very long", "confused pair"],
        ["rare class"],
        ["other"],
        ["other"],
    ]
    unknown = causes_of(some(inputs, [0] * 6, [1] * 6, unknown=0.25), None)
    assert unknown["unknown tokens"].all() and not unknown["other"].any()
    assert "rare class" not in unknown


def test_a_report_puts_each_mistake_into_one_group_most_confident_first() -> None:
    inputs = ["p", "q", "r", "s"]
    result = some(inputs, [0, 0, 0, 2], [1, 1, 1, 2])
    run = SimpleNamespace(folder="runs/x")
    summary = report(
        run, Examples(inputs, list("aaac"), lines=[2, 3, 4, 5]), result, None, "test", 2
    )
    (group,) = summary.groups
    assert (group.cause, group.mistakes, group.share, group.share_of_examples) == (
        "confused pair",
        3,
        1.0,
        0.75,
    )
    assert [example.location for example in group.examples] == ["line 4", "line 3"]
    assert summary.confusions == (("a", "b", 3),)
    assert "3 mistakes among 4 test examples (accuracy 0.2500)." in summary.text()
    assert json.loads(json.dumps(summary.to_json()))["groups"][0]["examples"][0]["truth"] == "a"


def test_shares_of_mistakes_and_of_all_examples_are_comparable() -> None:
    lengths = np.array([5] * 100)
    training = TrainingStatistics.of(["words"] * 100, ["a"] * 99 + ["c"], lengths)
    # All are unusually short, and those of a rare class count for that alone.
    result = some(["x"] * 10, [2] * 5 + [0] * 5, [1, 1, 2, 2, 2, 1, 1, 0, 0, 0])
    summary = report(SimpleNamespace(folder=""), Examples(["x"] * 10), result, training, "", 1)
    assert [(group.cause, group.share, group.share_of_examples) for group in summary.groups] == [
        ("rare class", 0.5, 0.5),
        ("very short", 0.5, 0.5),
    ]


def test_command(trained, tmp_path) -> None:
    run = trained / "run"
    results = json.loads(seqzoo("errors", run, "--json").stdout)
    assert results["examples"] == 6 and results["split"] == "test"
    assert sum(item["mistakes"] for item in results["groups"]) == results["mistakes"]
    data = tmp_path / "wrong.csv"
    data.write_text("text,label\naxyzx1,b-text\nbxyzx1,b-text\n")
    shown = seqzoo("errors", run, data, "--top", 1).stdout
    assert "among 2 examples (accuracy 0." in shown and shown.startswith(
        ("1 mis", "2 mis", "0 mis")
    )
    for words, message in (
        ([data, "--folds", 2], "--folds uses the training examples"),
        (["--split", "train"], "use --folds 5"),
        (["--split", "tset"], "did you mean 'test'?"),
        (["nowhere.csv"], "nowhere.csv"),
        (["--folds", 1], "--folds"),
    ):
        result = seqzoo("errors", run, *words)
        assert result.exit_code == 2 and message in result.stderr, result.stderr
    tagger = SimpleNamespace(template=ManyToOne("series", "value"), folder="runs/y")
    with pytest.raises(SeqzooError, match="'class', got runs/y with target 'value'"):
        zoo.errors(tagger)


def test_folds_that_lack_a_class_are_not_validated_on_it() -> None:
    training, validation = Examples(["p", "q"], ["a", "b"]), Examples(["r", "s"], ["c", "b"])
    chosen = with_labels_of(training, validation)
    assert chosen is not None and (chosen.inputs, chosen.targets) == (["s"], ["b"])
    assert with_labels_of(training, Examples(["r"], ["c"])) is None
    assert with_labels_of(training, None) is None


def test_folds_that_lack_a_class_have_no_weight_for_it() -> None:
    seen = Examples(["p", "q"], ["a", 2])
    chosen = TrainingSettings(class_weight={"a": 2.0, "2": 3.0, "rare": 4.0})
    assert weights_of_fold(chosen, seen).class_weight == {"a": 2.0, "2": 3.0}
    for same in (TrainingSettings(), TrainingSettings(class_weight="balanced")):
        assert weights_of_fold(same, seen) == same
    assert weights_of_fold(TrainingSettings(class_weight={"c": 2.0}), seen).class_weight is None


def test_an_unknown_field_is_named(trained) -> None:
    with pytest.raises(SeqzooError, match="A field of `Source` was expected, got 'inputs'"):
        zoo.errors(trained / "run", inputs="text")


def test_folds_predict_what_a_model_was_not_trained_on(trained, monkeypatch) -> None:
    run = Run.open(trained / "run")
    run.config["started_from"] = {"run": "runs/base"}
    parts = []

    def train(template, splits, settings, folder, *, start_from) -> Run:
        assert start_from == "runs/base"
        parts.append(splits.train.inputs)
        return run

    monkeypatch.setattr(trainer, "train", train)
    messages = []
    result = zoo.errors(run, folds=3, print_fn=messages.append)
    texts = set().union(*parts)
    assert len(texts) == result.examples == 52 and messages[1:] == [
        f"Model {n} of 3." for n in (1, 2, 3)
    ]
    # Each is left out once.
    assert sum(map(len, parts)) == 2 * 52
    assert all(sum(text in part for part in parts) == 2 for text in texts)

    def stop(*given, **named) -> Run:
        raise Interrupted("Stopped. To resume: seqzoo train --resume --run /tmp/gone")

    monkeypatch.setattr(trainer, "train", stop)
    with pytest.raises(Interrupted, match="is not kept. Run the command again"):
        zoo.errors(run, folds=3)


@pytest.mark.parametrize("folds", [pytest.param(3, marks=BEFORE_RELEASES)])
@pytest.mark.usefixtures("plain_loop")
def test_folds_find_a_label_that_was_swapped(trained, tmp_path, folds: int) -> None:
    """Labels are the first letter of a text; one line in eighty has the other one."""
    lines = (trained / "data.csv").read_text().splitlines()
    wrong = [f"axyzyx{n},{'b' if n == 3 else 'a'}-text" for n in range(8)]
    wrong += [f"bxyzyx{n},b-text" for n in range(8)]
    data = tmp_path / "data.csv"
    data.write_text("\n".join([*lines, *wrong]) + "\n")
    folder = tmp_path / "run"
    words = "--kind characters --input text --target label --units 6 --minimum-count 1 --epochs 12"
    words += " --validation 0 --test 0 --batch-size 8 --learning-rate 0.02 --pooling max"
    result = seqzoo("train", "many-to-one", "--data", data, *words.split(), "--run", folder)
    assert result.exit_code == 0, result.stderr
    results = zoo.errors(Run.open(folder), folds=folds)
    assert results.split == "training" and results.examples == 80
    assert results.labels[0].input == "axyzyx3" and results.labels[0].prediction == "a-text"
