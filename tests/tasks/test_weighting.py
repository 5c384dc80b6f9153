"""Weights of losses in training, by class, by how sure a model is and by example, against sums that
are written out; and calibrated probabilities."""

import json
import re
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from cli_cases import seqzoo
from tagging_data import sentences, tagger
from task_data import names, settings, splits, template

from seqzoo.tasks import (
    Examples,
    Forecast,
    History,
    ManyToManyAligned,
    ManyToManyEncoderDecoder,
    SeqzooError,
)
from seqzoo.tasks.data.batches import Padding, batches
from seqzoo.tasks.metrics.calibration import calibration, cross_entropy, fit_temperature
from seqzoo.tasks.runs.run import Run
from seqzoo.tasks.targets.weighting import weigh_examples
from seqzoo.tasks.training.step import Loop
from seqzoo.tasks.training.trainer import train
from seqzoo.zoo.config.resolve import Choices
from seqzoo.zoo.config.toml_reader import read_config
from seqzoo.zoo.config.toml_writer import config
from seqzoo.zoo.data.source import Source

pytestmark = pytest.mark.usefixtures("plain_loop")


def _loss(chosen: Any, examples: Examples, rows: int, **choices: Any) -> tuple[float, Any]:
    """The summed loss of a batch in training, with filler rows, and the model's outputs with
    targets and lengths of the examples in the batch."""
    task = chosen.adapt(examples)
    training_settings = settings(batch_size=rows, **choices)
    data = task.data(examples)
    if examples.weights is not None:
        data = weigh_examples(data, examples)
    task.weigh(training_settings, data)
    loop = Loop(task, training_settings, 1, tf.distribute.get_strategy())
    for weight in loop.model.trainable_weights:
        weight.assign(np.random.default_rng(0).normal(0, 0.8, weight.shape))
    plan = data.plan(Padding([9], [9]), training_settings)
    batch = next(iter(batches(data, plan)))
    assert len(plan) == 1 and rows > len(examples)
    loss, totals, _ = loop._forward(batch, training=True)
    inputs = {"values": batch["values"], "lengths": batch["lengths"]}
    outputs = loop.model(inputs).numpy().astype(float)[: len(examples)]
    order = batch["rows"].numpy()[: len(examples)]
    # What is reported has no weights.
    _, plain, _ = loop._forward(batch, training=False)
    np.testing.assert_allclose(totals[0], plain[0], rtol=1e-6)
    return float(loss), (task, outputs, batch["targets"].numpy(), batch["lengths"].numpy(), order)


def series(name: str) -> History:
    dates = np.datetime64("2024-01-01", "s") + np.arange(20) * np.timedelta64(1, "D")
    return History(dates, np.arange(20.0)[:, None] % 5, name=name)


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def _examples() -> Examples:
    result = names(7, 3)
    return Examples(result.inputs, ["A", "A", "A", "A", "B", "B", "C"])


@pytest.mark.parametrize("choice", ["balanced", {"B": 3, "C": 0.5}])
def test_classes_have_their_weights(choice: Any) -> None:
    examples = _examples()
    loss, (task, outputs, targets, _, _) = _loss(template(), examples, 9, class_weight=choice)
    if choice == "balanced":
        weights = np.array([7 / (3 * 4), 7 / (3 * 2), 7 / (3 * 1)])
    else:
        weights = np.array([1.0, 3.0, 0.5])
        weights *= 7 / (4 * 1 + 2 * 3 + 0.5)
    expected = 0.0
    for row, target in zip(outputs, targets, strict=False):
        expected -= weights[target] * _log_softmax(row)[target]
    assert loss == pytest.approx(expected, rel=1e-5)


def test_a_class_without_examples_leaves_the_weights_of_others() -> None:
    task: Any = template().adapt(_examples())
    examples = names(4, 3)
    fewer = Examples(examples.inputs, ["A", "A", "A", "B"])
    task.weigh(settings(class_weight="balanced"), task.data(fewer))
    np.testing.assert_allclose(task.weighting.classes[:2], [2 / 3, 2])


def test_weights_of_examples_are_not_those_of_padding() -> None:
    # One has no weight, and is an example still: the loss is a mean of seven.
    given = [0.0, 2.0, 1.0, 1.0, 4.0, 1.0, 0.5]
    result = _examples()
    examples = Examples(result.inputs, result.targets, weights=given)
    loss, (_, outputs, targets, _, order) = _loss(template(), examples, 9, focal=2.0)
    expected = 0.0
    for row, target, index in zip(outputs, targets, order, strict=False):
        log = _log_softmax(row)[target]
        expected -= given[index] / np.mean(given) * (1 - np.exp(log)) ** 2.0 * log
    assert loss == pytest.approx(expected, rel=1e-5)


def test_tags_and_labels_are_weighted_by_the_step_and_the_label() -> None:
    examples = sentences(5, 0)
    chosen = tagger()
    loss, (task, outputs, targets, lengths, _) = _loss(
        chosen, examples, 6, class_weight="balanced", focal=1.5
    )
    flat = np.concatenate([row[:length] for row, length in zip(targets[:5], lengths, strict=False)])
    counts = np.bincount(flat, minlength=len(task.tags.names))
    expected = 0.0
    for row, tags, length in zip(outputs, targets, lengths, strict=False):
        for step in range(length):
            log = _log_softmax(row[step])[tags[step]]
            weight = len(flat) / (len(counts) * counts[tags[step]])
            expected -= weight * (1 - np.exp(log)) ** 1.5 * log
    assert loss == pytest.approx(expected, rel=1e-4)

    result = names(5, 3)
    examples = Examples(result.inputs, [[label, "all"] for label in result.targets])
    loss, (_, outputs, targets, _, _) = _loss(template(target="labels"), examples, 6, focal=2.0)
    chance = 1 / (1 + np.exp(-outputs))
    true = np.where(targets[:5] > 0.5, chance, 1 - chance)
    expected = -((1 - true) ** 2 * np.log(true)).mean(-1).sum()
    assert loss == pytest.approx(expected, rel=1e-5)


def test_scores_of_a_crf_are_adjusted_by_the_logarithms_of_the_weights_in_training() -> None:
    examples = sentences(5, 0)
    task: Any = tagger(crf=True).adapt(examples)
    names = task.tags.names
    weights = 2.0 ** np.arange(len(names))
    chosen = settings(batch_size=6, class_weight=dict(zip(names, weights.tolist(), strict=True)))
    data = task.data(examples)
    task.weigh(chosen, data)
    loop = Loop(task, chosen, 1, tf.distribute.get_strategy())
    batch = next(iter(batches(data, data.plan(Padding([9], [9]), chosen))))
    loss, totals, _ = loop._forward(batch, training=True)
    _, plain, _ = loop._forward(batch, training=False)
    np.testing.assert_allclose(totals[0], plain[0], rtol=1e-6)
    inputs = {name: batch[name] for name in loop.model.input}
    scores = loop.model(inputs).numpy() - np.log(weights)
    crf = loop.model.get_layer("crf")
    expected = -tf.reduce_sum(crf.log_likelihood(scores, batch["targets"], batch["lengths"])[:5])
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)
    assert abs(float(loss) - float(plain[0])) > 1


@pytest.mark.parametrize(
    "chosen, choices, message",
    [
        (template(), {"class_weight": {"Q": 2.0}}, "`class_weight` must name classes (A, B, C), "),
        (template(target="labels"), {"class_weight": "balanced"}, "`class_weight` is for the tar"),
        (template(target="value"), {"focal": 2.0}, "`focal` is for the targets 'class', 'labels'"),
        (template(label_smoothing=0.1), {"focal": 2.0}, "`focal` must be None with label smooth"),
        (tagger(crf=True), {"focal": 2.0}, "`focal` is for tags without `crf`"),
        (tagger(crf=True), {"class_weight": {"Q": 2.0}}, "`class_weight` must name classes (B-x"),
        (ManyToManyEncoderDecoder(), {"focal": 2.0}, "`focal` is for the targets"),
        (tagger(crf=True), {"calibrate": True}, "'tags' without `crf`, got target 'tags'"),
        (template(), {"calibrate": True}, "`calibrate` needs validation examples"),
    ],
)
def test_what_does_not_fit_is_reported(chosen: Any, choices: dict, message: str, tmp_path) -> None:
    result = names(8, 3)
    targets: Any = {
        "labels": [[label] for label in result.targets],
        "value": list(map(float, range(8))),
        "tags": None,
    }.get(chosen.target, result.targets)
    examples = sentences(8, 0) if targets is None else Examples(result.inputs, targets)
    from seqzoo.tasks import Splits

    with pytest.raises(SeqzooError, match=re.escape(message)):
        train(chosen, Splits(examples), settings(**choices), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "weights, message",
    [
        ([1, -1, 1], "The weight of example 1 must be at least 0 and finite, got -1"),
        ([1, float("nan"), 1], "example 1 must be at least 0 and finite, got nan"),
        ([0, 0, 0], "The weights of all training examples are 0"),
        ([1, 1], "one weight per example, got 2 weights for 3 examples"),
    ],
)
def test_invalid_weights_are_reported(weights: list, message: str) -> None:
    result = names(3, 0)
    examples = Examples(result.inputs, result.targets, weights=weights)
    task = template().adapt(names(20, 0))
    with pytest.raises(SeqzooError, match=message):
        weigh_examples(task.data(examples), examples)


@pytest.mark.parametrize(
    ("chosen", "inputs", "change"),
    [
        (ManyToManyAligned("characters", "next", whole=True), ["abc", "bca"], "joined into 1"),
        (Forecast(look_back=4, horizon=2), [series("a"), series("b")], "cut into 30"),
    ],
)
def test_weights_are_refused_where_examples_are_joined_or_cut(chosen, inputs, change) -> None:
    examples = Examples(inputs, weights=[1.0, 2.0])
    data = chosen.adapt(examples).data(examples)
    message = f"the 2 training examples are {change}; leave it out"
    with pytest.raises(SeqzooError, match=message):
        weigh_examples(data, examples)


@pytest.mark.parametrize("weights", ["even", {}, {"A": 0}, {"A": -1.0}, {"A": True}, {"A": "2"}])
def test_class_weights_are_checked(weights: Any) -> None:
    with pytest.raises(
        SeqzooError, match="`class_weight` must be 'balanced' or positive weights by name"
    ):
        settings(class_weight=weights)


@pytest.mark.parametrize("weights", [{"spam, eggs": 2.0, "ham": 1.0}, "balanced", None])
def test_a_configuration_file_contains_class_weights(weights: Any, tmp_path) -> None:
    chosen = Choices(template(), settings(class_weight=weights), Source("a.csv", "characters"))
    path = tmp_path / "a.toml"
    path.write_text(config(chosen, "By hand.", str(path), ""))
    assert read_config(str(path)).settings == chosen.settings


@pytest.mark.slow
def test_columns_of_weights_from_a_file_and_class_weights_on_the_command_line(tmp_path) -> None:
    results = names(60, 1)
    rows = zip(results.inputs, results.targets, range(60), strict=True)
    lines = [f"{text},{label},{index % 3}" for text, label, index in rows]
    path = tmp_path / "data.csv"
    path.write_text("text,label,trust\n" + "\n".join(lines) + "\n")
    arguments = [
        *("train", "many-to-one", "--data", path, "--kind", "characters", "--input", "text"),
        *("--target", "label", "--units", 4, "--epochs", 1, "--run", tmp_path / "run", "--quiet"),
    ]
    named = ["--weight-column", "trust", "--class-weight", "A=3,B=1", "--calibrate"]
    result = seqzoo(*arguments, *named)
    assert result.exit_code == 0, result.output
    run = Run.open(tmp_path / "run")
    assert run.settings.class_weight == {"A": 3.0, "B": 1.0}
    assert run.source["weight_column"] == "trust"
    # Other files need no weights to be scored.
    plain = tmp_path / "plain.csv"
    plain.write_text(
        "text,label\n"
        + "\n".join(
            f"{a},{b}" for a, b, _ in zip(results.inputs, results.targets, range(60), strict=True)
        )
        + "\n"
    )
    result = seqzoo("evaluate", tmp_path / "run", "--data", plain, "--json")
    assert result.exit_code == 0, result.output
    scores = json.loads(result.stdout)["calibration"]
    stored = json.loads((tmp_path / "run" / "calibration.json").read_text())
    assert scores["temperature"] == stored["temperature"] != 1.0
    assert scores["reliability"] and scores["before"]["reliability"]
    assert (tmp_path / "run" / "scores" / "reliability.png").exists()
    path.write_text(path.read_text().replace(",2\n", ",-2\n"))
    message = seqzoo(*arguments[:-3], "--run", tmp_path / "other", *named).stderr
    assert re.search(r"data.csv, line 4: 'trust' must be a non-negative number, got '-2'", message)
    message = seqzoo(*arguments, "--class-weight", "A").stderr
    assert "must be balanced or NAME=WEIGHT,NAME=WEIGHT, got 'A'" in message


def test_the_temperature_is_that_of_the_lowest_loss() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(0, 1, (4000, 3))
    shares = np.exp(_log_softmax(logits))
    targets = np.array([random.choice(3, p=share) for share in shares])
    for factor in (0.4, 1.0, 3.0):
        result = fit_temperature(logits * factor, targets)
        assert result == pytest.approx(factor, rel=0.1)
        losses = [
            cross_entropy(logits * factor / t, targets) for t in result * np.array([0.99, 1, 1.01])
        ]
        assert losses[1] < min(losses[0], losses[2])
    assert fit_temperature(np.array([[2.0, 0.0]]), np.array([0])) == 0.05
    assert fit_temperature(np.array([[2.0, 0.0]]), np.array([1])) == 1000.0


def test_the_calibration_error_is_the_mean_gap() -> None:
    probabilities = np.array([0.61, 0.63, 0.62, 0.95, 1.0])
    right = np.array([True, False, False, True, True])
    result = calibration(probabilities, right)
    # Of the parts from 9/15 to 10/15, and from 14/15.
    gaps = [abs(0.62 - 1 / 3), abs(0.975 - 1)]
    assert result["error"] == pytest.approx((3 * gaps[0] + 2 * gaps[1]) / 5)
    assert [row["predictions"] for row in result["reliability"]] == [3, 2]


@pytest.mark.slow
@pytest.mark.usefixtures("kept_process")
def test_a_calibrated_model_has_its_temperature_everywhere(tmp_path, clean_tensorflow) -> None:
    chosen = settings(epochs=3)
    plain = train(template(), splits(), chosen, tmp_path / "plain")
    chosen = settings(epochs=3, calibrate=True)
    run = train(template(), splits(), chosen, tmp_path / "run")
    stored = json.loads((tmp_path / "run" / "calibration.json").read_text())
    temperature = stored["temperature"]
    assert stored["after"]["loss"] < stored["before"]["loss"]
    words = ["abc", "defx", "gh"]
    before, after = plain.predict(words), run.predict(words)
    for one, other in zip(before, after, strict=True):
        logs = {name: np.log(item) / temperature for name, item in one.alternatives}
        total = sum(map(np.exp, logs.values()))
        for name, probability in other.alternatives:
            assert probability == pytest.approx(np.exp(logs[name]) / total, rel=1e-4)
    run.export(tmp_path / "saved")
    served = clean_tensorflow.answers(tmp_path / "saved", {"text": np.array(words)})
    probabilities: Any = [answer.probability for answer in after]
    np.testing.assert_allclose(served["probability"], probabilities, rtol=1e-4)
    metrics = run.evaluate(names(40, 2))["calibration"]
    expected = plain.evaluate(names(40, 2))["calibration"]
    assert metrics["before"]["error"] == pytest.approx(expected["error"], abs=1e-4)
    assert metrics["error"] == pytest.approx(stored["after"]["calibration_error"], abs=1e-4)
    # Resuming what has ended does not calibrate it again.
    model = (tmp_path / "run" / "model.keras").read_bytes()
    train(template(), splits(), chosen, tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "model.keras").read_bytes() == model
