"""Forecasts averaged with those of a linear model that is fitted after training."""

import pathlib
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import seqzoo.cells
from seqzoo.tasks import Examples, Forecast, History, SeqzooError, Splits, TrainingSettings, train
from seqzoo.tasks.base import PredictionOptions
from seqzoo.tasks.forecast.linear_part import LinearPart, filled
from seqzoo.tasks.forecast.task import ForecastTask
from seqzoo.tasks.metrics.linear_forecast import fit_linear
from seqzoo.tasks.runs.averaging import average, best_share

LOOK_BACK, HORIZON = 12, 6
SETTINGS = TrainingSettings(epochs=1, batch_size=32)


def _waves(missing: int = 0) -> History:
    """Two targets, each the sum of two waves, which a linear model of the last steps continues."""
    steps = np.arange(300)
    values = np.stack(
        [np.sin(steps / 3) + 0.5 * np.sin(steps), 20 * np.sin(steps / 2) + 3 * np.cos(steps)], 1
    )
    values[np.random.default_rng(0).choice(200, missing, replace=False)] = np.nan
    return History(np.datetime64("2020-01-01") + steps, values, name="a")


def _template(**options: Any) -> Forecast:
    choices: Any = {"units": 4, "segment": 3, "calendar": False, "linear": True, **options}
    return Forecast(look_back=LOOK_BACK, horizon=HORIZON, **choices)


def _splits(whole: History, validated: bool = True) -> Splits:
    held_out = Examples([whole.cut(250, 200)]) if validated else None
    return Splits(Examples([whole.cut(200)]), held_out, Examples([whole.cut(300, 250)]))


def _train(template: Forecast, splits: Splits, folder: pathlib.Path) -> tuple[Any, list[str]]:
    from seqzoo.tasks.training.progress import Silent

    notes: list[str] = []

    class Notes(Silent):
        def note(self, text: str) -> None:
            notes.append(text)

    with seqzoo.cells.portable():
        return train(template, splits, SETTINGS, folder, progress=Notes()), notes


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> tuple[Any, list[str]]:
    folder = tmp_path_factory.mktemp("runs") / "run"
    return _train(_template(distribution="quantiles"), _splits(_waves()), folder)


def test_a_linear_series_is_forecast_by_the_linear_model(run: tuple[Any, list[str]]) -> None:
    trained, notes = run
    (note,) = notes
    expected = r"The linear model has a share of (99|100)% in the forecasts \(chosen on the valid.*"
    assert re.fullmatch(expected, note)
    whole = _waves()
    (answer,) = trained.predict([whole.cut(270)])
    errors = np.abs(np.array(answer.value) - whole.values[270:276])
    assert (errors < 0.05 * whole.values.std(0)).all()
    assert trained.evaluate(Examples([whole.cut(300, 250)]))["mse"] < 0.01  # of a variance of 1


@pytest.mark.slow
def test_an_average_is_exported(run: tuple[Any, list[str]], tmp_path: pathlib.Path) -> None:
    assert run[0].export(tmp_path / "exported")["difference"] < 1e-4


def test_averaging_again_changes_nothing(run: tuple[Any, list[str]]) -> None:
    trained, notes = run
    splits = _splits(_waves())
    before = [weight.numpy().copy() for weight in trained.model.weights]
    data = [trained.task.data(item) for item in (splits.train, splits.validation)]
    assert average(trained.folder, trained._inference, *data) == notes[0]
    for weight, value in zip(trained.model.weights, before, strict=True):
        np.testing.assert_allclose(weight.numpy(), value, atol=1e-5)


@pytest.mark.parametrize("normalization", ["none", "mean", "season"])
@pytest.mark.parametrize("form", ["parallel", "recurrent"])
@pytest.mark.quick_for("recurrent-mean")
def test_without_validation_the_shares_are_equal(
    form: Any, normalization: Any, tmp_path: pathlib.Path
) -> None:
    whole = _waves(missing=10)
    template = _template(form=form, window_normalization=normalization, distribution="student-t")
    trained, notes = _train(template, _splits(whole, validated=False), tmp_path / "run")
    assert notes == [
        "The linear model has a share of 50% in the forecasts (there are no validation examples)."
    ]
    part, histories = trained.model.linear, [whole.cut(230)]
    values = {}
    for share in (0.0, 0.5, 1.0):
        part.share.assign(share)
        (answer,) = trained.predict(histories)
        values[share] = np.array(answer.value), answer.quantiles
    for half, none, linear in zip(values[0.5], values[0.0], values[1.0], strict=True):
        np.testing.assert_allclose(half, (none + linear) / 2, rtol=1e-4, atol=1e-4)
    # The scale of the distribution is the network's.
    widths = [np.ptp(quantiles, -1) for _, quantiles in values.values()]
    np.testing.assert_allclose(widths[0], widths[2], rtol=1e-4)
    errors = {share: np.abs(item[0] - whole.values[230:236]) for share, item in values.items()}
    assert errors[1.0].mean() < 0.7 * errors[0.0].mean()


@pytest.mark.slow
def test_too_few_windows_leave_the_network_alone(tmp_path: pathlib.Path) -> None:
    whole = _waves()
    splits = Splits(Examples([whole.cut(18)]), Examples([whole.cut(60, 18)]))
    trained, notes = _train(_template(), splits, tmp_path / "run")
    assert notes == [
        "There are too few training windows for a linear model; the forecasts are those of the "
        "network alone."
    ]
    assert not trained.model.linear.share.numpy()


def test_fine_tuning_fits_the_linear_model_again(
    run: tuple[Any, list[str]], tmp_path: pathlib.Path
) -> None:
    whole = _waves()
    template = _template(distribution="quantiles", conformal=False)
    splits = _splits(whole, validated=False)
    with seqzoo.cells.portable():
        tuned = train(template, splits, SETTINGS, tmp_path / "run", start_from=run[0])
    report = tuned.config["started_from"]
    assert {"linear", "correction"}.isdisjoint(
        {*report["taken"], *report["new"], *report["unused"]}
    )
    assert tuned.model.linear.share.numpy() == 0.5
    assert not tuned.model.correction.numpy().any()
    assert run[0].model.correction.numpy().any()


def test_quantiles_move_with_the_point_forecast_and_scales_stay() -> None:
    part = LinearPart(2, 3)
    normal = tf.constant([[[1.0], [2.0]]])
    outputs = tf.random.stateless_normal([1, 3, 1, 3], (0, 0))
    np.testing.assert_array_equal(part.averaged(outputs, normal, 1, 3), outputs)
    part.kernel.assign([[1.0, 0.0, 2.0], [0.0, 1.0, 0.0]])
    part.bias.assign([0.0, 0.5, 0.0])
    part.share.assign(0.25)
    move = 0.25 * (np.array([1.0, 2.5, 2.0])[:, None, None] - outputs[0, :, :, 1:2].numpy())
    np.testing.assert_allclose(part.averaged(outputs, normal, 1, 3)[0], outputs[0] + move, 1e-5)
    move = 0.25 * (np.array([1.0, 2.5, 2.0])[:, None, None] - outputs[0, :, :, :1].numpy())
    moved = part.averaged(outputs, normal, 0, 1)[0].numpy()
    np.testing.assert_allclose(moved[..., :1], outputs[0, ..., :1] + move, 1e-5)
    np.testing.assert_array_equal(moved[..., 1:], outputs[0, ..., 1:])


def test_missing_values_are_replaced_by_the_nearest_ones_before_them() -> None:
    random = np.random.default_rng(0)
    values, observed = random.normal(size=(5, 13, 2)), random.random((5, 13, 2)) < 0.4
    result = filled(tf.constant(values), tf.constant(observed, tf.float32), 13).numpy()
    for row, target in np.ndindex(5, 2):
        known = np.flatnonzero(observed[row, :, target])
        for step in range(13):
            before = known[known <= step]
            source = before[-1] if len(before) else known[0]
            assert result[row, step, target] == values[row, source, target]


def test_missing_targets_do_not_affect_the_regression() -> None:
    random = np.random.default_rng(0)
    inputs, kernel = random.normal(size=(400, 5)), random.normal(size=(5, 3))
    targets = inputs @ kernel + random.normal(0, 0.1, (400, 3))
    targets[random.random(targets.shape) < 0.6] = np.nan
    weights = fit_linear(inputs, targets, np.arange(400) >= 320)
    for column in range(3):
        known = np.isfinite(targets[:, column])
        expected, *_ = np.linalg.lstsq(inputs[known], targets[known, column], rcond=None)
        np.testing.assert_allclose(weights[:, column], expected, atol=2e-3)


def _linear_alone(histories: list[History], **options: Any) -> tuple[ForecastTask, Any]:
    """A task and an untrained model whose forecasts are those of the linear part."""
    examples = Examples(histories)
    task = ForecastTask.learn(Forecast(units=4, linear=True, **options), examples)
    with seqzoo.cells.portable():
        model: Any = task.build()
    assert task.fit_linear(model, task.data(examples))
    model.linear.share.assign(1.0)
    return task, model


def _forecasts(task: ForecastTask, model: Any, histories: list[History]) -> np.ndarray:
    raw = task.features.raw(histories, ["a"] * len(histories))
    values = task.features.tensors(*map(tf.constant, raw))
    return task.infer(model, values, PredictionOptions())["values"].numpy()


@pytest.mark.parametrize("normalization", ["last", "mean", "none", "season"])
def test_gaps_in_training_cost_little_accuracy(normalization: Any) -> None:
    steps = np.arange(600)
    values = np.sin(2 * np.pi * steps / 7) + np.random.default_rng(1).normal(0, 0.05, 600)
    days, missing = np.datetime64("2020-01-01") + steps, values.copy()
    missing[np.random.default_rng(0).random(600) < 0.3] = np.nan
    errors = []
    for train_on in (values, missing):
        whole = History(days[:400], train_on[:400])
        task, model = _linear_alone(
            [whole], look_back=21, horizon=7, window_normalization=normalization
        )
        origins = [at for at in range(440, 590) if np.isfinite(missing[at - 1])]
        tests = [History(days[:at], train_on[:at]) for at in origins]
        truth = np.stack([values[at : at + 7] for at in origins])
        errors.append(np.square(_forecasts(task, model, tests)[..., 0] - truth).mean())
    assert errors[0] < 0.01 and errors[1] < 0.06, errors  # of a variance of 0.5


@pytest.mark.parametrize("normalization", ["last", "mean", "none"])
def test_a_short_history_is_continued_from_its_values(normalization: Any) -> None:
    steps = np.arange(300)
    whole = History(np.datetime64("2020-01-01") + steps, steps.astype(float))
    task, model = _linear_alone(
        [whole], look_back=24, horizon=6, window_normalization=normalization
    )
    short = History(whole.dates[-12:], whole.values[-12:])
    assert np.abs(_forecasts(task, model, [short]) - 302).max() < 15


@pytest.mark.parametrize(("steps", "most"), [(54, 20_000), (56, 60)])
def test_one_window_of_each_series_holds_out_the_last_series(
    steps: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seqzoo.tasks.forecast.task.MAX_WINDOWS", most)  # of three, the first one
    random = np.random.default_rng(0)
    walks = [
        History(
            np.datetime64("2020-01-01") + np.arange(steps),
            random.normal(size=steps).cumsum(),
            name=n,
        )
        for n in map(str, range(60))
    ]
    _, model = _linear_alone(walks, look_back=48, horizon=6)
    # No linear model of a random walk is better than the last value, from which it is a difference.
    assert np.abs(model.linear.kernel.numpy()).max() < 0.05


def test_counts_have_no_linear_part() -> None:
    with pytest.raises(SeqzooError, match="`linear` must be False with .*'negative-binomial'"):
        Forecast(linear=True, distribution="negative-binomial")


def test_the_share_has_the_least_squared_error() -> None:
    random = np.random.default_rng(0)
    first, second, truth = random.normal(size=(3, 50, 4, 2))
    truth += 0.3 * first + 0.7 * second
    truth[::7] = np.nan
    share = best_share(first, second, truth)

    def error(share: float) -> float:
        return float(np.nanmean(np.square((1 - share) * first + share * second - truth)))

    assert 0 < share < 1
    assert error(share) < min(error(share - 0.01), error(share + 0.01))
    assert best_share(first, first, truth) == 0
    assert best_share(first, truth, truth) == pytest.approx(1)
    assert best_share(first, first + 1, first - truth**2) == 0


def test_the_linear_model_cannot_be_frozen(tmp_path: pathlib.Path) -> None:
    settings = replace(SETTINGS, freeze=("linear",))
    with pytest.raises(SeqzooError, match=r"`freeze` must name layers of the model \(.*'linear'"):
        train(_template(), _splits(_waves()), settings, tmp_path / "run")
