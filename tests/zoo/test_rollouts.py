"""Forecasts beyond a model's horizon: points from points, quantiles from quantiles."""

from statistics import NormalDist
from types import SimpleNamespace

import numpy as np
import pytest

from seqzoo.tasks import Examples, Forecast, SeqzooError
from seqzoo.tasks.data.history import History
from seqzoo.tasks.forecast.task import ForecastPrediction
from seqzoo.zoo.inference.rollouts import continued, mixed, roll_out

HORIZON = 3
SCORES = [NormalDist().inv_cdf(level) for level in (0.1, 0.25, 0.5, 0.75, 0.9)]


class Normal:
    """A model that knows its series: each value is `decay` times the one before it, plus normal
    noise of variance 1."""

    def __init__(self, decay: float, transform: str = "none", distribution: str = "gaussian"):
        self.decay, self.function, self.inverse = decay, np.array, np.array
        if transform == "log":
            self.function, self.inverse = np.log, np.exp
        self.template = SimpleNamespace(
            levels=(0.1, 0.25, 0.5, 0.75, 0.9),
            horizon=HORIZON,
            transform=transform,
            distribution=distribution,
        )

    def predict(self, histories: list[History]) -> list[ForecastPrediction]:
        return [self._predict(history) for history in histories]

    def _predict(self, history: History) -> ForecastPrediction:
        last = self.function(history.values[history.end - 1])
        powers = self.decay ** np.arange(1, HORIZON + 1)
        deviations = np.sqrt(np.cumsum(self.decay ** (2 * np.arange(HORIZON))))
        means = last * powers[:, None]
        quantiles = self.inverse(means[..., None] + deviations[:, None, None] * SCORES)
        values = tuple(float(value) for value in self.inverse(means[:, 0]))
        dates = history.dates[history.end - 1] + np.arange(1, HORIZON + 1) * np.timedelta64(1, "D")
        return ForecastPrediction("", values, dates=dates, quantiles=quantiles)


def _history(last: float) -> History:
    return History(np.arange("2024-01-01", "2024-01-03", dtype="datetime64[D]"), [last, last])


@pytest.mark.parametrize("decay", [1.0, 0.8, 0.0])
@pytest.mark.parametrize("transform", ["none", "log"])
def test_quantiles_are_those_of_the_distribution_at_any_step(decay: float, transform: str) -> None:
    steps = 11  # three whole horizons and a part of one
    model = Normal(decay, transform)
    for item, last in zip(
        roll_out(model, [_history(1.0), _history(2.0)], steps), (1, 2), strict=True
    ):
        level = model.function(last)
        means = level * decay ** np.arange(1, steps + 1)
        deviations = np.sqrt(np.cumsum(decay ** (2.0 * np.arange(steps))))
        assert len(item.value) == len(item.dates) == steps
        assert model.function(np.array(item.value)) == pytest.approx(means)
        assert item.dates[-1] == np.datetime64("2024-01-02") + steps
        expected = means[:, None] + deviations[:, None] * SCORES
        got = model.function(item.quantiles[:, 0])
        assert np.abs(got - expected).max() < 0.05 * deviations.max()


def test_without_quantiles_only_points_are_continued() -> None:
    model = Normal(1.0)
    predict = model._predict
    model._predict = lambda history: _point(predict(history))
    (item,) = roll_out(model, [_history(5.0)], 7)
    assert item.quantiles is None and item.value == (5.0,) * 7


def _point(prediction: ForecastPrediction) -> ForecastPrediction:
    return ForecastPrediction("", prediction.value, dates=prediction.dates)


def test_quantiles_of_counts_are_counts() -> None:
    model = Normal(0.0, distribution="negative-binomial")
    (item,) = roll_out(model, [_history(0.0)], 2 * HORIZON)
    later = item.quantiles[HORIZON:]
    assert (later >= 0).all() and (later == np.round(later)).all() and later.max() == 1


def test_equal_forecasts_mix_to_themselves_and_certain_ones_to_their_spread() -> None:
    one = np.array([[[-1.0, 0.0, 3.0]]])
    levels = (0.2, 0.5, 0.8)
    assert mixed([one] * 3, levels) == pytest.approx(one, abs=0.1)
    certain = [np.full((1, 1, 3), value) for value in (-1.0, 0.0, 3.0)]
    assert mixed(certain, levels) == pytest.approx(one, abs=0.1)


def test_a_forecast_is_continued_from_means_that_are_no_counts() -> None:
    dates = np.datetime64("2024-01-01") + np.arange(40)
    counts = History(dates, np.arange(40.0) % 6)
    template = Forecast(look_back=8, horizon=4, units=2, distribution="negative-binomial")
    task = template.adapt(Examples([counts]))
    means = (1.5, 2.5, 0.25, 3.0)
    extended = continued(counts, means, dates[:4])
    assert task.features.check(extended, "example 0") is extended
    np.testing.assert_array_equal(extended.values[40:, 0], means)
    wrong = History(extended.dates, extended.values)
    with pytest.raises(SeqzooError, match="needs counts, got 1.5 on 2024-02-10"):
        task.features.check(wrong, "example 0")
