"""An output layer that is fitted in closed form, against slow computations in NumPy."""

from dataclasses import replace

import numpy as np
import pytest
from training_cases import RecordingProgress

from seqzoo.cells import Recurrent
from seqzoo.tasks import Examples, ManyToManyAligned, ManyToOne, Splits, TrainingSettings, train
from seqzoo.tasks.errors import Interrupted, SeqzooError
from seqzoo.tasks.training.normal_equations import (
    PENALTIES,
    Moments,
    fits,
    ridge,
    squared_error,
)

RIDGE = TrainingSettings(readout="ridge", batch_size=4)
RESERVOIR = {"cell": "echo-state", "units": 6, "cell_options": {"seed": 1, "connectivity": 0.8}}
rng = np.random.default_rng(0)


def moments(x, y, weights, batch=7):
    """The moments summed over several batches."""
    parts = [slice(k, k + batch) for k in range(0, len(x), batch)]
    return Moments(
        sum(Moments.of(x[part], y[part], weights[part]).numpy() for part in parts), x.shape[1]
    )


def slow_ridge(x, y, weights, penalty):
    """Kernel and bias as a least squares problem with one more row per feature."""
    root = np.sqrt(weights)[:, None]
    mean = np.average(x, axis=0, weights=weights)
    variance = np.average((x - mean) ** 2, axis=0, weights=weights).mean()
    pull = np.sqrt(weights.sum() * penalty * variance) * np.eye(x.shape[1])
    rows = np.concatenate([root * np.c_[x, np.ones(len(x))], np.c_[pull, np.zeros(len(pull))]])
    targets = np.concatenate([root * y, np.zeros((len(pull), y.shape[1]))])
    solution = np.linalg.lstsq(rows, targets, rcond=None)[0]
    return solution[:-1], solution[-1]


def test_solves_the_least_squares_problem_and_chooses_the_penalty_by_validation():
    rng = np.random.default_rng(0)

    def draw(count, least) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        x, y = rng.normal(1, 2, (count, 9)), rng.normal(size=(count, 2))
        y[:, 0] += x[:, 3]
        return x, y, rng.integers(least, 3, count).astype(float)

    padded, judge = draw(40, 0), draw(15, 1)
    padded[0][padded[2] == 0] = np.nan
    live = padded[2] > 0
    training = padded[0][live], padded[1][live], padded[2][live]

    def error(penalty):
        kernel, bias = slow_ridge(*training, penalty)
        off = judge[0] @ kernel + bias - judge[1]
        return np.average((off**2).sum(1), weights=judge[2])

    best = min(PENALTIES, key=error)
    assert PENALTIES[0] < best < PENALTIES[-1]
    fit = ridge(moments(*padded), moments(*judge))
    assert fit.penalty == best
    for ours, expected in zip(fit[:2], slow_ridge(*training, best), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-8)
    x, y, weights = training
    same = ridge(moments(np.concatenate([x, 0 * x], 1), y, weights), None, 0.0)
    np.testing.assert_allclose(same.kernel[:9], slow_ridge(*training, 0.0)[0], rtol=1e-6)
    given = ridge(moments(*padded), moments(*judge), 0.3)
    np.testing.assert_allclose(given.kernel, slow_ridge(*training, 0.3)[0], rtol=1e-8)


@pytest.fixture(scope="module")
def regression(tmp_path_factory):
    """A run with numbers at each step, two layers, and what it was trained on."""
    inputs = [rng.normal(size=(n, 2)) for n in (9, 14, 11, 6, 12, 10)]
    targets = [np.cumsum(x, 0) @ [[1.0], [-0.5]] for x in inputs]
    splits = Splits(Examples(inputs[:4], targets[:4]), Examples(inputs[4:], targets[4:]))
    template = ManyToManyAligned(
        "series", "values", bidirectional=False, layers=2, all_layers=True, **RESERVOIR
    )
    settings = replace(RIDGE, washout=3, ridge_penalty=0.01, batch_size=2)
    folder = tmp_path_factory.mktemp("ridge") / "run"
    return train(template, splits, settings, folder), splits, settings


@pytest.mark.parametrize("seed", range(3))
def test_smooth_features_are_solved_accurately(seed):
    """Like the states of a reservoir, they are nearly dependent: most eigenvalues are rounding
    errors, whose use left an error of 0.81 with the first seed."""
    rng, t = np.random.default_rng(seed), np.linspace(-1, 1, 900)[:, None]
    x, y = np.tanh(t * rng.normal(0, 2, 100) + rng.normal(0, 1, 100)), np.sin(30 * t)
    fit = ridge(moments(x, y, np.ones(900)), None, 1e-14)
    assert np.sqrt(np.mean((x @ fit.kernel + fit.bias - y) ** 2)) < 0.3


@pytest.mark.slow
def test_steps_are_fitted_over_the_states_of_all_layers_after_the_washout(regression):
    run, splits, _ = regression
    layers = [layer for layer in run.model.layers if isinstance(layer, Recurrent)]
    x, y = [], []
    for sequence, target in zip(splits.train.inputs, splits.train.targets, strict=True):
        values, states = run.task.features.encode(Examples([sequence])).flat[None], []
        for layer in layers:
            values = layer(values)
            states.append(values[0])
        x.append(np.concatenate(states, -1)[3:])
        y.append(((target - run.task.targets.mean) / run.task.targets.scale)[3:])
    x, y = np.concatenate(x).astype(float), np.concatenate(y)
    kernel, bias = slow_ridge(x, y, np.ones(len(x)), 0.01)
    result = run.model.get_layer("outputs")
    np.testing.assert_allclose(result.kernel, kernel, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(result.bias, bias, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_a_run_is_resumed_in_the_middle_of_the_pass(regression, tmp_path):
    run, splits, settings = regression
    with pytest.raises(Interrupted):
        train(
            run.template, splits, settings, tmp_path / "run", progress=RecordingProgress(stop_at=1)
        )
    resumed = train(run.template, splits, settings, tmp_path / "run", resume=True)
    assert resumed.predict(splits.train.inputs[:1]) == run.predict(splits.train.inputs[:1])
    (row,), (expected,) = resumed.history, run.history
    assert {**row, "seconds": 0} == {**expected, "seconds": 0}


@pytest.mark.slow
def test_class_probabilities_are_calibrated(tmp_path):
    inputs = [rng.normal(size=(n, 1)) for n in rng.integers(4, 9, 200)]
    labels = ["up" if x[-1, 0] + 0.3 * x[-2, 0] > 0 else "down" for x in inputs]
    splits = Splits(
        Examples(inputs[:150], labels[:150]), Examples(inputs[150:], labels[150:]), None
    )
    template = ManyToOne("series", layers=2, all_layers=True, **{**RESERVOIR, "units": 30})
    run = train(template, splits, replace(RIDGE, batch_size=16), tmp_path / "run")
    (row,) = run.history
    assert row["validation_accuracy"] > 0.9
    # As they are fitted, the outputs for two classes differ by about one: a loss of 0.31 at best.
    assert row["validation_loss"] < 0.3


@pytest.mark.slow
def test_the_next_step_is_fitted(tmp_path):
    waves = [np.sin(0.3 * np.arange(80) + k)[:, None] for k in range(4)]
    template = ManyToManyAligned(
        "series", "next", **{**RESERVOIR, "units": 30}, layers=2, all_layers=True, horizon=10
    )
    splits = Splits(Examples(waves[:3]), Examples(waves[3:]))
    progress = RecordingProgress()
    run = train(template, splits, replace(RIDGE, washout=20), tmp_path / "run", progress=progress)
    assert any("the first 20 steps" in note for note in progress.notes)
    (forecast,) = run.predict([waves[0][:60]])
    expected = np.sin(0.3 * np.arange(60, 70))
    np.testing.assert_allclose(np.ravel(forecast.value), expected, atol=0.05)
    run.export(tmp_path / "exported", format="onnx")


@pytest.mark.parametrize(
    "template, message",
    [
        (
            ManyToOne("series", "value", cell="gru", units=3),
            "cells without trainable weights, such as 'echo-state'",
        ),
        (ManyToManyAligned("characters", "next", cell="echo-state", units=3), "language models"),
        (
            ManyToOne("characters", cell="echo-state", units=3, label_smoothing=0.1),
            "`label_smoothing` is for readout 'gradient', got 0.1 with 'ridge'",
        ),
        (
            ManyToOne("rows", cell="echo-state", units=3, random_shift=0.1),
            "`random_shift` is for readout 'gradient', got 0.1 with 'ridge'",
        ),
        (
            ManyToOne("words", cell="echo-state", units=3, vectors="v.npz", vectors_mode="tuned"),
            "`vectors_mode` must be 'frozen' with readout 'ridge', .* got 'tuned'",
        ),
    ],
)
def test_what_cannot_be_fitted_is_refused(template, message, tmp_path):
    texts = template.input in ("characters", "words")
    inputs = ["abcab", "cabca"] if texts else [np.ones((3, 1)), np.zeros((3, 1))]
    if template.vectors:
        vectors = {"words": np.array(["abcab", "cabca"]), "vectors": np.eye(2, dtype=np.float32)}
        np.savez(tmp_path / "v.npz", **vectors)
        template = replace(template, vectors=str(tmp_path / "v.npz"))
    targets = {"class": ["a", "b"], "value": [1.0, 0.0]}
    examples = Examples(inputs, targets.get(template.target))
    with pytest.raises(SeqzooError, match=message):
        train(template, Splits(examples, examples, None), RIDGE, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_washout_of_sequences_is_refused(tmp_path) -> None:
    series = [np.random.default_rng(item).normal(size=(6, 1)) for item in range(4)]
    template = ManyToOne("series", "value", cell="echo-state", units=5, bidirectional=False)
    chosen = TrainingSettings(epochs=1, batch_size=4, readout="ridge", washout=2)
    with pytest.raises(SeqzooError, match="`washout` is for targets at each step, got 2"):
        train(template, Splits(Examples(series, [0.0, 1, 2, 3])), chosen, tmp_path / "run")


@pytest.mark.parametrize("penalty", [None, 1e-9])
def test_probabilities_without_validation_examples_are_sensible(tmp_path, penalty) -> None:
    """With as many units as examples, the readout could fit all of them."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 160)
    series = [random.normal(size=(12, 1)) + 0.15 * label for label in labels]
    names = ["abc"[label] for label in labels]
    template = ManyToOne("series", cell="echo-state", units=100, bidirectional=False)
    parts = Splits(
        Examples(series[:100], names[:100]),
        None if penalty is None else Examples(series[100:130], names[100:130]),
    )
    chosen = TrainingSettings(epochs=1, batch_size=50, readout="ridge", ridge_penalty=penalty)
    run = train(template, parts, chosen, tmp_path / "run")
    assert run.evaluate(Examples(series[130:], names[130:]))["loss"] < 1.4  # a guess has 1.1


def test_without_a_penalty_units_that_depend_on_each_other_are_fitted() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(40, 3))
    features = np.concatenate([x, x @ random.normal(size=(3, 3)) * (1 + 1e-9)], 1)
    targets = x @ random.normal(size=(3, 1)) + random.normal(size=(40, 1))
    sums = moments(features, targets, np.ones(40))
    (free,), (small,) = fits(sums, [0.0]), fits(sums, [1e-8])
    assert squared_error(free, sums) <= squared_error(small, sums) * (1 + 1e-9)
    assert np.abs(free.kernel).max() < 100


def test_a_washout_of_all_steps_is_refused(tmp_path) -> None:
    series = [
        np.random.default_rng(item).normal(size=(6, 1)).astype(np.float32) for item in range(4)
    ]
    template = ManyToManyAligned("series", "values", cell="echo-state", units=5)
    chosen = TrainingSettings(epochs=1, batch_size=4, readout="ridge", washout=6)
    with pytest.raises(SeqzooError, match="`washout` must leave steps") as caught:
        train(template, Splits(Examples(series, series)), chosen, tmp_path / "run")
    assert caught.value.field == "washout"
