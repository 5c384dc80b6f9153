"""Losses of numbers by name, against formulas in NumPy, and the outputs that they predict from."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from task_data import names, series, settings, template

import seqzoo.cells
from seqzoo.tasks import Examples, ManyToManyAligned, PredictionOptions, SeqzooError, Splits
from seqzoo.tasks.targets.elements import ElementLoss
from seqzoo.tasks.training.trainer import train

RANDOM = np.random.default_rng(0)
OUTPUTS = RANDOM.normal(0, 1.5, (6, 3))
SHARES = RANDOM.dirichlet(np.ones(3), 6)
COUNTS = RANDOM.poisson(2.0, (6, 3)).astype(float)
SIGMOID = 1 / (1 + np.exp(-OUTPUTS))
SOFTPLUS = np.log1p(np.exp(OUTPUTS))
SOFTMAX = np.exp(OUTPUTS) / np.exp(OUTPUTS).sum(-1, keepdims=True)
GAP = np.abs(OUTPUTS - COUNTS)


@pytest.mark.parametrize(
    "name, activation, targets, expected",
    [
        ("squared", None, COUNTS, (GAP**2).mean(-1)),
        ("squared", "sigmoid", SHARES, ((SIGMOID - SHARES) ** 2).mean(-1)),
        ("absolute", None, COUNTS, GAP.mean(-1)),
        ("huber", None, COUNTS, np.where(GAP <= 1, GAP**2 / 2, GAP - 0.5).mean(-1)),
        ("poisson", None, COUNTS, (np.exp(OUTPUTS) - COUNTS * OUTPUTS).mean(-1)),
        ("poisson", "softplus", COUNTS, (SOFTPLUS - COUNTS * np.log(SOFTPLUS)).mean(-1)),
        (
            "bernoulli",
            None,
            SHARES,
            -(SHARES * np.log(SIGMOID) + (1 - SHARES) * np.log(1 - SIGMOID)).mean(-1),
        ),
        (
            "bernoulli",
            "softmax",
            SHARES,
            -(SHARES * np.log(SOFTMAX) + (1 - SHARES) * np.log(1 - SOFTMAX)).mean(-1),
        ),
        ("cross-entropy", None, SHARES, -(SHARES * np.log(SOFTMAX)).sum(-1)),
        ("cross-entropy", "sigmoid", SHARES, -(SHARES * np.log(SIGMOID)).sum(-1)),
    ],
)
def test_a_loss_is_its_formula(name: Any, activation: Any, targets: Any, expected: Any) -> None:
    loss = ElementLoss(name, activation)
    got = loss(tf.constant(OUTPUTS, tf.float32), tf.constant(targets, tf.float32))
    np.testing.assert_allclose(got, expected, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name, activation", [("poisson", None), ("squared", "softplus")])
def test_numbers_in_a_range_are_predicted_in_it(name: Any, activation: Any, tmp_path) -> None:
    result = names(48, 1)
    counts = [{"A": 0.0, "B": 1.0, "C": 5.0}[label] for label in result.targets]
    chosen = template(target="value", loss=name, output_activation=activation)
    with seqzoo.cells.portable():
        given = Splits(Examples(result.inputs, counts), Examples(result.inputs[:8], counts[:8]))
        run = train(chosen, given, settings(epochs=8), tmp_path / "run")
        assert (run.task.targets.mean, run.task.targets.scale) == ([0.0], [1.0])
        values = np.array([answer.value for answer in run.predict(result.inputs)])
        assert values.min() > 0 and np.abs(values - counts).mean() < 1.6
        metrics = run.evaluate(given.train)
        raw = run.task.features.raw(result.inputs, result.locations)
        served = run.task.respond(run.model, tuple(map(tf.constant, raw)), PredictionOptions())
    assert metrics["mae"] == pytest.approx(np.abs(values - counts).mean(), rel=1e-4)
    np.testing.assert_allclose(np.squeeze(served["value"]), values, rtol=1e-4)


def test_each_step_has_the_loss_of_the_template() -> None:
    inputs = series(4, 0)
    rates = [np.exp(item[:, 1:]) for item in inputs]
    chosen = ManyToManyAligned("series", "values", units=3, loss="poisson")
    task: Any = chosen.adapt(Examples(inputs, rates))
    outputs = RANDOM.normal(size=(1, 5, 1)).astype(np.float32)
    truth = RANDOM.poisson(1.0, (1, 5, 1)).astype(np.float32)
    outcome = task.outcome(tf.constant(outputs), tf.constant(truth), tf.constant([3]))
    expected = (np.exp(outputs) - truth * outputs)[0, :3].sum()
    np.testing.assert_allclose(outcome.losses, [expected], rtol=1e-5)
    gaps = np.abs(np.exp(outputs) - truth)[0, :3].sum()
    np.testing.assert_allclose(outcome.sums[0], [gaps], rtol=1e-5)
    decoded = task.targets.decode(task.targets.predicted(tf.constant(outputs)))
    np.testing.assert_allclose(decoded, np.exp(outputs), rtol=1e-5)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: template(loss="huber"), "`loss` must be 'cross-entropy' for target 'class' with"),
        (lambda: template(loss="hubr"), "`loss` must be one of 'cross-entropy', 'squared'"),
        (
            lambda: ManyToManyAligned("series", "next", loss="poisson"),
            "`loss` must be 'squared' or 'absolute' or 'huber' for target 'next'",
        ),
        (lambda: template(output_activation="relu"), "`output_activation` is for the targets 'va"),
        (
            lambda: template(target="value", output_activation="relo").adapt(
                Examples(["ab", "ba"], [1.0, 2.0])
            ),
            "must be a name in keras.activations, got 'relo'; did you mean 'relu",
        ),
        (
            lambda: template(target="value", loss="poisson").adapt(
                Examples(["ab", "ba"], [1.0, -2.0])
            ),
            "The target of example 1 must be at least 0 for the loss 'poisson', got .-2.0.",
        ),
        (
            lambda: template(target="value", loss="bernoulli").adapt(
                Examples(["ab", "ba"], [1.0, 2.0])
            ),
            "The target of example 1 must be at least 0 and at most 1",
        ),
        (
            lambda: template(target="value", loss="cross-entropy").adapt(
                Examples(["ab", "ba"], [[0.5, 0.5], [0.9, 0.4]])
            ),
            "The target of example 1 must be proportions that sum to 1",
        ),
    ],
)
def test_what_does_not_fit_is_reported(make: Any, message: str) -> None:
    with pytest.raises(SeqzooError, match=message):
        make()


def test_every_keras_activation_can_be_that_of_the_outputs() -> None:
    for name in ("tanh", "relu", "hard_sigmoid", "softplus"):
        outputs = tf.constant(OUTPUTS, tf.float32)
        predicted = ElementLoss("squared", name).predict(outputs)
        np.testing.assert_allclose(predicted, keras.activations.get(name)(outputs))
