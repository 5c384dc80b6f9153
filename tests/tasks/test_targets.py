"""Losses, metrics, answers and figures against NumPy and worked examples."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from task_data import template

from seqzoo.tasks import Examples, ManyToOne, SeqzooError, TrainingSettings
from seqzoo.tasks.data.batches import Padding, batches
from seqzoo.tasks.kinds import targets_class
from seqzoo.tasks.targets.values import ValueTargets


def _learn(choices: ManyToOne, examples: Examples) -> Any:
    return targets_class(choices.target).learn(choices, examples)


def _random(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).normal(size=shape).astype(np.float32)


def test_class_loss_and_accuracy() -> None:
    examples = Examples([*"...."], ["10", "9", "9", "b"])
    learned = _learn(template(), examples)
    assert learned.names == ["10", "9", "b"]
    outputs, encoded = _random(4, 3), learned.encode(examples)
    assert encoded.tolist() == [0, 1, 1, 2]
    loss, sums = learned.objective(tf.constant(outputs), encoded)
    logs = outputs - np.log(np.exp(outputs).sum(1, keepdims=True))
    np.testing.assert_allclose(loss, -logs[np.arange(4), encoded], rtol=1e-5)
    right = outputs.argmax(1) == encoded
    assert (sums.numpy()[:, 0] == right).all()
    assert learned.measure(sums.numpy().sum(0), 4) == right.mean()


def test_label_smoothing() -> None:
    examples = Examples([*"..."], ["a", "b", "c"])
    learned = _learn(template(label_smoothing=0.3), examples)
    outputs = _random(3, 3)
    targets = learned.encode(examples)
    loss, _ = learned.objective(tf.constant(outputs), targets)
    logs = outputs - np.log(np.exp(outputs).sum(1, keepdims=True))
    # Only training smooths; losses that are reported are those of the labels.
    np.testing.assert_allclose(loss, -np.diag(logs), rtol=1e-5)
    goal = np.eye(3) * 0.7 + 0.1
    trained = learned.trained(loss, tf.constant(outputs), targets)
    np.testing.assert_allclose(trained, -(goal * logs).sum(1), rtol=1e-5)
    task = template(label_smoothing=0.3).adapt(examples)
    data = task.data(examples)
    (batch,) = batches(data, data.plan(Padding([1], []), TrainingSettings(batch_size=3)))
    tf.keras.utils.set_random_seed(0)
    model = task.build("float32")
    exact = task.forward(model, batch, training=False)
    smoothed = task.forward(model, batch, training=True)
    np.testing.assert_allclose(smoothed.reported, exact.losses, rtol=1e-5)
    assert np.abs(smoothed.losses - exact.losses).max() > 1e-5 and exact.reported is None


def test_numeric_class_names_are_sorted_by_value() -> None:
    assert _learn(template(), Examples([*"..."], ["10", "9", "2"])).names == ["2", "9", "10"]


def test_class_predictions_are_ranked() -> None:
    learned = _learn(template(), Examples([*"..."], ["a", "é", "c"]))
    first, second = learned.predictions(np.array([[0.0, 1.0, 2.0], [3.0, 0.0, 1.0]], np.float32), 2)
    total = np.exp([0, 1, 2]).sum()
    assert (first.label, second.label) == ("é", "a")
    assert [label for label, _ in first.alternatives] == ["é", "c"]
    assert first.probability == pytest.approx(np.exp(2) / total)
    assert first.alternatives[1][1] == pytest.approx(np.exp(1) / total)


def test_class_metrics() -> None:
    learned = _learn(template(), Examples([*"...."], list("abcd")))
    truth = np.array([0, 0, 0, 1, 1, 2])
    predicted = np.array([0, 0, 1, 1, 0, 1])
    metrics = learned.compute_metrics(np.eye(4)[predicted], truth)
    assert metrics["accuracy"] == 3 / 6 and metrics["errors"] == 3
    # Class d has no example, and must not count as one that is never right.
    assert metrics["macro_accuracy"] == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    a, b, c, d = metrics["classes"]
    assert (a["examples"], a["correct"], a["accuracy"], a["precision"]) == (3, 2, 2 / 3, 2 / 3)
    assert b["f1"] == pytest.approx(2 * (1 / 3) * (1 / 2) / (1 / 3 + 1 / 2))
    assert (c["precision"], c["f1"]) == (None, 0.0) and d["accuracy"] is None
    assert metrics["confusion"][0] == [2, 1, 0, 0]
    assert [tuple(row.values()) for row in metrics["confusions"]] == [
        ("a", "b", 1),
        ("b", "a", 1),
        ("c", "b", 1),
    ]


def test_labels() -> None:
    examples = Examples([*"..."], [["x"], ["y", "x"], []])
    learned = _learn(template(target="labels"), examples)
    encoded = learned.encode(examples)
    assert encoded.tolist() == [[1, 0], [1, 1], [0, 0]]
    outputs = np.array([[2.0, 1.0], [3.0, -1.0], [-2.0, -3.0]], np.float32)
    loss, sums = learned.objective(tf.constant(outputs), tf.constant(encoded))
    probability = 1 / (1 + np.exp(-outputs))
    cross = -(encoded * np.log(probability) + (1 - encoded) * np.log(1 - probability))
    np.testing.assert_allclose(loss, cross.mean(1), rtol=1e-5)
    f1 = 2 * 2 / (3 + 3)  # said x y, x; there are x, x y
    assert learned.measure(sums.numpy().sum(0), 3) == pytest.approx(f1)
    metrics = learned.compute_metrics(outputs, encoded)
    assert metrics["micro_f1"] == pytest.approx(f1)
    assert metrics["macro_f1"] == pytest.approx((1 + 0) / 2)
    assert (metrics["exact"], metrics["errors"]) == (1 / 3, 2)
    answers = learned.predictions(outputs, 5)
    assert [answer.value for answer in answers] == [("x", "y"), ("x",), ()]
    assert [answer.label for answer in answers] == ["x, y", "x", ""]


@pytest.mark.parametrize("values", [[1.0, 5.0, 3.0], [[1.0, 2.0], [5.0, 2.0], [3.0, 8.0]]])
def test_values(values: list) -> None:
    examples = Examples([*"..."], values)
    learned = _learn(template(target="value"), examples)
    table = np.array(values).reshape(3, -1)
    encoded = learned.encode(examples)
    np.testing.assert_allclose(encoded, (table - table.mean(0)) / table.std(0), rtol=1e-5)
    outputs = _random(*table.shape)
    loss, sums = learned.objective(tf.constant(outputs), tf.constant(encoded))
    np.testing.assert_allclose(loss, np.square(outputs - encoded).mean(1), rtol=1e-4)
    error = outputs * table.std(0) + table.mean(0) - table
    assert learned.measure(sums.numpy().sum(0), 3) == pytest.approx(np.abs(error).mean(), rel=1e-4)
    metrics = learned.compute_metrics(outputs, encoded)
    assert metrics["mae"] == pytest.approx(np.abs(error).mean(), rel=1e-4)
    assert metrics["rmse"] == pytest.approx(np.sqrt(np.square(error).mean()), rel=1e-4)
    answers = learned.predictions(outputs, 5)
    expected = outputs * table.std(0) + table.mean(0)
    np.testing.assert_allclose([answer.value for answer in answers], expected.squeeze(), rtol=1e-4)


def test_the_baseline_of_values_is_the_training_mean() -> None:
    learned = _learn(
        template(target="value"),
        Examples([*"...."], [[0.0, 5.0], [2.0, 5.0], [4.0, 5.0], [2.0, 5.0]]),
    )
    test = np.array([[3.0, 5.0], [5.0, 9.0]])  # against 2 and 5: 1, 0, 3 and 4
    encoded = learned.encode(Examples([*".."], test))
    metrics = learned.compute_metrics(np.zeros((2, 2), np.float32), encoded)
    for name in ("mae", "mae_of_mean"):
        assert metrics[name] == pytest.approx((1 + 0 + 3 + 4) / 4)
    for name in ("rmse", "rmse_of_mean"):
        assert metrics[name] == pytest.approx(((1 + 0 + 9 + 16) / 4) ** 0.5)


def test_the_baseline_of_counts_is_the_training_mean() -> None:
    chosen = template(target="value", loss="poisson")
    learned = _learn(chosen, Examples([*"...."], [1.0, 2.0, 3.0, 4.0]))
    restored = ValueTargets.from_config(chosen, learned.to_config())
    for targets in (learned, restored):
        encoded = targets.encode(Examples([*".."], [1.0, 5.0]))
        metrics = targets.compute_metrics(np.zeros((2, 1), np.float32), encoded)
        assert metrics["mae_of_mean"] == pytest.approx(2.0)
    earlier = {name: learned.to_config()[name] for name in ("mean", "scale")}
    old = ValueTargets.from_config(chosen, earlier)
    encoded = old.encode(Examples([*".."], [1.0, 5.0]))
    assert "mae_of_mean" not in old.compute_metrics(np.zeros((2, 1), np.float32), encoded)


def test_small_differences_between_large_values_are_predicted() -> None:
    values = 1.7e9 + np.arange(8.0)
    learned = _learn(template(target="value"), Examples([*"........"], values))
    outputs = learned.encode(Examples([*"........"], values))
    found = [answer.value for answer in learned.predictions(outputs, 1)]
    np.testing.assert_allclose(found, values, atol=1e-3, rtol=0)


def test_targets_of_the_wrong_type_are_named() -> None:
    labels = _learn(template(target="labels"), Examples([*".."], [["a"], ["b"]]))
    for wrong in ("ab", 3, None, [1]):
        with pytest.raises(SeqzooError, match="Labels must be a sequence of strings, but exa"):
            labels.encode(Examples(["."], [wrong]))
        with pytest.raises(SeqzooError, match="Labels must be a sequence of strings, but exa"):
            _learn(template(target="labels"), Examples(["."], [wrong]))
    classes = _learn(template(), Examples([*".."], ["a", "b"]))
    with pytest.raises(SeqzooError, match=r"has the label \['a'\], which no training example has"):
        classes.encode(Examples(["."], [["a"]]))


@pytest.mark.parametrize(
    "choices, message",
    [
        ({"target": "labels", "label_smoothing": 0.1}, "`label_smoothing` is for the target 'clas"),
        ({"mean_normalization": True}, "`mean_normalization` is for audio, got input 'characters'"),
        ({"input": "series", "lowercase": True}, "`lowercase` is for .*, got input 'series'"),
    ],
)
def test_options_of_other_kinds_are_refused(choices: dict, message: str) -> None:
    with pytest.raises(SeqzooError, match=message):
        template(**choices)


@pytest.mark.parametrize(
    "kind, train, other, message",
    [
        ("class", ["ham", "spam"], ["ham", "spamm"], "line 6 has the label 'spamm'.*'spam'?"),
        ("labels", [["ham"], ["spam"]], [[], ["spaam"]], "line 6 has the label 'spaam'.*'spam'?"),
        ("class", ["ham", "ham"], [], r"At least two classes.*\['ham'\]"),
        ("class", ["ham", None], [], "line 6 has None"),
        ("class", None, [], "Training and evaluation need targets"),
        ("class", ["ham"], [], "got 2 inputs and 1 target"),
        ("labels", ["ab", "c"], [], "line 5 has 'ab'"),
        ("labels", [[], []], [], "no training example has any"),
        ("value", [1.0, np.nan], [], "the target of line 6"),
        ("value", ["1.0", "x"], [], "Values must be numbers"),
        ("value", [1.0, 2.0], [[1.0, 2.0]] * 2, "must be 1, as in training, got 2"),
    ],
)
def test_errors_name_the_location(kind: str, train, other, message: str) -> None:
    with pytest.raises(SeqzooError, match=message):
        learned = _learn(template(target=kind), Examples([*".."], train, lines=[5, 6]))
        learned.encode(Examples([*".."], other, lines=[5, 6]))
