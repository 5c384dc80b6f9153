"""Forecasts of more steps than a model's horizon, from its own forecasts."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import NormalDist
from typing import Any

import numpy as np

from seqzoo.tasks.data.history import Continuation, History

SCORES = 32
"""Number of values, equally probable, by which a distribution is represented."""


def roll_out(run: Any, histories: Sequence[History], steps: int) -> list[Any]:
    """A `ForecastPrediction` of `steps` steps for each series.

    The model is run again on histories that its forecasts were appended to: the point forecasts,
    and, for the quantiles, those of each level, because later steps depend on what the earlier ones
    will be. Quantiles of later steps are those of the mixture, see `mixed`.

    Args:
        run: a run of the `forecast` template, or an ensemble of several.
        histories: the series.
        steps: number of steps; a whole number of the model's horizons is forecast and then cut.
    """
    from seqzoo.tasks.preprocessing.value_transforms import TRANSFORMS

    levels = run.template.levels
    predictions = run.predict(list(histories))
    parts = [predictions]
    # A single quantile says nothing about the spread.
    spread = len(levels) > 1 and all(item.quantiles is not None for item in predictions)
    paths = [list(histories)] * len(levels) if spread else []
    transform = TRANSFORMS[run.template.transform]
    counts = run.template.distribution == "negative-binomial"
    for _ in range(run.template.horizon, steps, run.template.horizon):
        paths = [
            [
                continued(history, item.quantiles[..., column], item.dates)
                for history, item in zip(path, predictions, strict=True)
            ]
            for column, path in enumerate(paths)
        ]
        histories = [
            continued(history, item.value, item.dates)
            for history, item in zip(histories, predictions, strict=True)
        ]
        count = len(histories)
        results = run.predict([*histories, *(item for path in paths for item in path)])
        predictions = results[:count]
        if spread:
            for place in range(count):
                ahead = results[count + place :: count]
                scaled = [transform.arrays(item.quantiles) for item in ahead]
                quantiles = transform.array_inverse(mixed(scaled, levels))
                if counts:
                    quantiles = np.maximum(np.round(quantiles), 0)
                predictions[place] = replace(predictions[place], quantiles=quantiles)
        parts.append(predictions)
    return [_joined(item, steps) for item in zip(*parts, strict=True)]


def mixed(quantiles: Sequence[np.ndarray], levels: Sequence[float]) -> np.ndarray:
    """The quantiles of a mixture of forecasts, (steps, targets, levels).

    Between levels, and beyond them, both the quantiles of a forecast and the forecasts themselves
    are interpolated linearly over the quantiles of the standard normal distribution, which is exact
    for normal distributions whose mean depends linearly on the history.

    Args:
        quantiles: a forecast after the earlier steps had their quantile of each level, each
            (steps, targets, levels).
        levels: the levels, at least two, in ascending order.
    """
    normal = NormalDist()
    scores = np.array([normal.inv_cdf((place + 0.5) / SCORES) for place in range(SCORES)])
    weights = _interpolation(scores / scores.std(), [normal.inv_cdf(level) for level in levels])
    values = np.einsum("ip,pstl,jl->stij", weights, np.stack(quantiles), weights, optimize=True)
    values = values.reshape(*values.shape[:2], -1)
    return np.moveaxis(np.quantile(values, levels, axis=-1), 0, -1)


def _interpolation(places: np.ndarray, nodes: Sequence[float]) -> np.ndarray:
    """The weights of values at `nodes` in linear interpolation, and extrapolation, at `places`,
    (places, nodes)."""
    left = np.clip(np.searchsorted(nodes, places) - 1, 0, len(nodes) - 2)
    ends = np.asarray(nodes)
    share = (places - ends[left]) / (ends[left + 1] - ends[left])
    weights = np.zeros((len(places), len(nodes)))
    rows = np.arange(len(places))
    weights[rows, left], weights[rows, left + 1] = 1 - share, share
    return weights


def continued(history: History, ahead: Any, dates: np.ndarray) -> History:
    """A history followed by the values of a forecast."""
    end, steps = history.end, len(dates)
    values = np.asarray(ahead, np.float64).reshape(steps, -1)
    size = max(len(history), end + steps)
    frequency = history.frequency
    assert frequency is not None

    def longer(array: np.ndarray) -> np.ndarray:
        filled = np.full((size, array.shape[1]), np.nan)
        filled[: len(array)] = array
        return filled

    extended = longer(history.values)
    extended[end : end + steps] = values
    return Continuation(
        frequency.at(history.dates, np.arange(size)),
        extended,
        longer(history.past),
        history.known if size == len(history) else longer(history.known),
        history.static,
        history.name,
        frequency=frequency,
    )


def _joined(parts: Sequence[Any], steps: int) -> Any:
    """Consecutive forecasts as one, cut to a number of steps."""
    first = parts[0]
    quantiles = None
    if all(part.quantiles is not None for part in parts):
        quantiles = np.concatenate([part.quantiles for part in parts])[:steps]
    return replace(
        first,
        value=tuple(number for part in parts for number in part.value)[:steps],
        dates=np.concatenate([part.dates for part in parts])[:steps],
        quantiles=quantiles,
    )
