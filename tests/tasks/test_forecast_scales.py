"""Forecasts, scores and anomalies of series of any scale, such as tiny values."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from seqzoo.tasks import Examples, Forecast, History
from seqzoo.tasks.metrics.forecasts import forecast_metrics
from seqzoo.tasks.preprocessing.histories import HistoryFeatures
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.inference.forecasts import Forecaster

DAYS = np.datetime64("2020-01-01") + np.arange(80)


@pytest.mark.parametrize("scale", [1e-30, 1e-13, 1e-12, 1e12])
@pytest.mark.parametrize("level", [0.0, 3.0])
def test_scores_do_not_depend_on_the_unit(scale: float, level: float) -> None:
    template = Forecast(look_back=14, horizon=3)
    series = level + np.random.default_rng(0).normal(size=len(DAYS))

    def metrics(unit: float) -> dict[str, Any]:
        history = History(DAYS, unit * series)
        features = HistoryFeatures.learn(template, Examples([history.cut(60)]))
        examples = Examples([history.cut(80, since=60)])
        windows = features.windows(examples)
        steps = windows.origins[:, None] + np.arange(3)
        values = unit * (0.9 * series[steps] + 0.1)[..., None]
        quantiles = np.repeat(values[..., None], len(template.levels), -1)
        return forecast_metrics(
            features, examples, windows, values, quantiles, template, has_quantiles=False
        )

    result, expected = metrics(scale), metrics(1.0)
    assert expected["smape"] > 1
    baselines, others = result.pop("baselines"), expected.pop("baselines")
    assert result == pytest.approx(expected, rel=1e-5)
    for name, scores in others.items():
        assert baselines[name] == pytest.approx(scores, rel=1e-4), name


def test_forecasts_of_zero_have_no_percentage_error_where_zero_is_observed() -> None:
    values = np.where(np.arange(80) % 7 < 5, 0.3, 0.0)
    history, template = History(DAYS, values), Forecast(look_back=14, horizon=7)
    features = HistoryFeatures.learn(template, Examples([history.cut(60)]))
    examples = Examples([history.cut(80, since=60)])
    windows = features.windows(examples)
    forecasts = values[windows.origins[:, None] + np.arange(7)][..., None]
    quantiles = np.repeat(forecasts[..., None], len(template.levels), -1)
    scores = forecast_metrics(
        features, examples, windows, forecasts, quantiles, template, has_quantiles=False
    )
    assert scores["smape"] < 1e-6 and scores["baselines"]["seasonal naive"]["smape"] == 0


def _anomalies(series: np.ndarray, forecast: np.ndarray, widths: np.ndarray) -> list[Any]:
    """The rows of anomalies of one series whose forecasts and 80% intervals are given."""
    values = forecast.astype(np.float32)[:, None]
    half = (widths / 2).astype(np.float32)[:, None]
    quantiles = np.stack([values - half, values + half], -1)
    results = {"values": values, "quantiles": quantiles}, np.arange(len(series))
    forecaster = Forecaster.__new__(Forecaster)
    forecaster.source = Source("a.csv", "history", "horizon", target="sold")
    forecaster.run = SimpleNamespace(
        template=SimpleNamespace(levels=(0.1, 0.9)),
        task=SimpleNamespace(one_step=lambda *_: results, features=SimpleNamespace(targets=1)),
        model=None,
        folder="run",
    )
    return list(forecaster.anomalies([History(DAYS[: len(series)], series)]).rows)


@pytest.mark.parametrize("scale", [1e-30, 1e-13, 1.0, 1e12])
def test_anomalies_are_found_at_every_scale(scale: float) -> None:
    series = scale * np.array([0.5, -0.5, 12.0, 0.2])
    ((_, date, target, *numbers),) = _anomalies(series, np.zeros(4), np.full(4, 2.563 * scale))
    assert (date, target) == ("2020-01-03", "sold")
    assert numbers[-1] == pytest.approx(12.0, rel=1e-3)


def test_rounding_errors_of_a_constant_series_are_no_anomalies() -> None:
    series, widths = np.array([0.1, 0.1, 0.1001, 0.1]), np.array([0.0, 0.0, 0.0, 0.01])
    ((_, date, *_),) = _anomalies(series, np.full(4, 0.1), widths)
    assert date == "2020-01-03"
