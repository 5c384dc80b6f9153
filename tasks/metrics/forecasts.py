"""Metrics for forecasts, and for three baselines on the same windows."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqzoo.tasks.metrics.linear_forecast import LinearForecast

NEGLIGIBLE = 1e-12
"""Standardised differences up to this size, and sums up to this fraction of their terms, count as
zero."""


def forecast_metrics(
    features: Any,
    examples: Any,
    windows: Any,
    values: np.ndarray,
    quantiles: np.ndarray,
    template: Any,
    *,
    has_quantiles: bool,
) -> dict[str, Any]:
    """The metrics of forecasts.

    MSE, MAE and RMSE are computed on values that are standardised with the mean and standard
    deviation of their series in training, not of its transform. MASE divides by the mean absolute
    error of the seasonal naive forecast in training (Hyndman and Koehler 2006). sMAPE is in
    percent, up to 200.
    CRPS is twice the quantile loss, averaged over the levels. Coverage is the fraction of values
    between the lowest and the highest quantile.

    Args:
        features: the `HistoryFeatures` of the model.
        examples: the evaluated histories.
        windows: the evaluated windows of the histories.
        values: forecasts, (windows, horizon, targets).
        quantiles: quantiles of the forecasts, (windows, horizon, targets, levels).
        template: a `Forecast`.
        has_quantiles: whether the model forecasts quantiles; if not, `quantiles` come from the
            conformal correction alone, or are all equal to the forecast.

    Returns: the metrics by name, and under "baselines" those of the naive forecast (the last
        value), the seasonal naive forecast (the value a season earlier) and a linear model from the
        look-back window to the horizon, fitted by ridge regression on the training steps, after
        the template's transform.
    """
    horizon, season = values.shape[1], features.season
    series = [_Series(features, item) for item in examples.inputs]
    owners, origins = windows.examples, windows.origins
    mean = np.stack([item.mean for item in series])[owners][:, None]
    scale = np.stack([item.scale for item in series])[owners][:, None]
    truth = _true_values(series, owners, origins, horizon)
    errors = np.stack([item.seasonal_error(season) for item in series])[owners][:, None]

    def scores(forecasts: np.ndarray) -> dict[str, float]:
        return _scores(forecasts, truth, mean, scale, errors)

    standard = (values - mean) / scale
    metrics: dict[str, Any] = scores(standard)
    levels = template.levels
    if has_quantiles or np.ptp(quantiles, -1).any():
        standardised = (quantiles - mean[..., None]) / scale[..., None]
        metrics |= _interval_scores(standardised, truth, levels)
    inputs = [item.transformed() for item in series]
    linear = LinearForecast.fit(
        [values[: item.training_steps] for item, values in zip(series, inputs, strict=True)],
        template,
    )
    baselines = {"naive": _naive(series, owners, origins, horizon)}
    if season > 1:
        baselines["seasonal naive"] = _seasonal(series, owners, origins, horizon, season)
    if linear is not None:
        forecasts = linear.predict(inputs, owners, origins)
        for index, item in enumerate(series):
            chosen = owners == index
            forecasts[chosen] = item.restored(forecasts[chosen])
        baselines["linear"] = forecasts
    metrics["baselines"] = {name: scores(forecasts) for name, forecasts in baselines.items()}
    return metrics


class _Series:
    """One history, standardised: in `values`, missing values are NaN; in `filled`, they are
    replaced by the last value before them. The first `training_steps` steps were seen in
    training."""

    def __init__(self, features: Any, history: Any):
        self.transform = features.values if features.template.transform != "none" else None
        self.mean, self.scale, self.inner_mean, self.inner_scale = (
            item.astype(np.float64)
            for item in (*features.original_scales_of(history), *features.scales_of(history))
        )
        self.values = (history.values - self.mean) / self.scale
        observed = np.isfinite(self.values)
        steps = np.where(observed, np.arange(len(history))[:, None], 0)
        last = np.maximum.accumulate(steps, 0)
        filled = np.take_along_axis(self.values, last, 0)
        self.filled = np.where(np.isfinite(filled), filled, 0.0)
        until = np.datetime64(features.config["until"])
        self.training_steps = int((history.dates <= until).sum())
        if history.since:
            self.training_steps = min(self.training_steps, history.since)

    def transformed(self) -> np.ndarray:
        """`filled` after the template's transform, standardised as for the model."""
        if self.transform is None:
            return self.filled
        values = self.transform.arrays(self.filled * self.scale + self.mean)
        return (values - self.inner_mean) / self.inner_scale

    def restored(self, values: np.ndarray) -> np.ndarray:
        """The inverse of `transformed`, for values (..., targets)."""
        if self.transform is None:
            return values
        values = self.transform.array_inverse(values * self.inner_scale + self.inner_mean)
        return (values - self.mean) / self.scale

    def seasonal_error(self, season: int) -> np.ndarray:
        """Mean absolute difference between training steps a season apart, (targets,); NaN if
        there are too few."""
        values = self.values[: self.training_steps]
        if len(values) <= season:
            return np.full(len(self.mean), np.nan)
        differences = np.abs(values[season:] - values[:-season])
        is_known = np.isfinite(differences)
        mean = np.where(is_known, differences, 0).sum(0) / np.maximum(is_known.sum(0), 1)
        return np.where(mean > NEGLIGIBLE, mean, np.nan)


def _true_values(
    series: Sequence[_Series], owners: np.ndarray, origins: np.ndarray, horizon: int
) -> np.ndarray:
    """The true values of windows, (windows, horizon, targets); NaN if unknown."""
    result = np.full((len(owners), horizon, series[0].values.shape[1]), np.nan)
    for index, item in enumerate(series):
        chosen = np.flatnonzero(owners == index)
        steps = origins[chosen][:, None] + np.arange(horizon)
        inside = steps < len(item.values)
        rows = item.values[np.minimum(steps, len(item.values) - 1)]
        result[chosen] = np.where(inside[..., None], rows, np.nan)
    return result


def _naive(
    series: Sequence[_Series], owners: np.ndarray, origins: np.ndarray, horizon: int
) -> np.ndarray:
    last = np.stack(
        [series[owner].filled[step - 1] for owner, step in zip(owners, origins, strict=True)]
    )
    return np.repeat(last[:, None], horizon, 1)


def _seasonal(
    series: Sequence[_Series], owners: np.ndarray, origins: np.ndarray, horizon: int, season: int
) -> np.ndarray:
    """The value a season earlier, or the last one if the series is too short."""
    result = _naive(series, owners, origins, horizon)
    offsets = np.arange(horizon) % season - season
    for index, item in enumerate(series):
        chosen = np.flatnonzero((owners == index) & (origins >= season))
        if len(chosen):
            result[chosen] = item.filled[origins[chosen][:, None] + offsets]
    return result


def _scores(
    forecasts: np.ndarray,
    truth: np.ndarray,
    mean: np.ndarray,
    scale: np.ndarray,
    errors: np.ndarray,
) -> dict[str, float]:
    """The metrics of standardised forecasts."""
    is_known = np.isfinite(truth)
    differences = np.where(is_known, forecasts - truth, 0.0)
    count = is_known.sum()
    mse = float(np.square(differences).sum() / count)
    mae = float(np.abs(differences).sum() / count)
    metrics = {"mse": mse, "mae": mae, "rmse": float(np.sqrt(mse))}
    scaled = np.where(is_known & np.isfinite(errors), np.abs(differences) / errors, np.nan)
    if np.isfinite(scaled).any():
        metrics["mase"] = float(np.nanmean(scaled))
    predicted, actual = forecasts * scale + mean, truth * scale + mean
    sizes = np.abs(predicted) + np.abs(actual)
    rounding = NEGLIGIBLE * (np.abs(mean) + np.abs(predicted - mean) + np.abs(actual - mean))
    ratio = np.divide(
        np.abs(predicted - actual),
        sizes,
        out=np.zeros_like(sizes),
        where=is_known & (sizes > rounding),
    )
    return {**metrics, "smape": float(200 * ratio.sum() / count)}


def _interval_scores(
    quantiles: np.ndarray, truth: np.ndarray, levels: Sequence[float]
) -> dict[str, float]:
    is_known = np.isfinite(truth)
    residuals = truth[..., None] - quantiles
    taus = np.asarray(levels)
    losses = 2 * np.maximum(taus * residuals, (taus - 1) * residuals).mean(-1)
    metrics = {"crps": float(losses[is_known].mean())}
    low, high = levels[0], levels[-1]
    if high > low:
        inside = (residuals[..., 0] >= 0) & (residuals[..., -1] <= 0)
        name = f"{100 * (high - low):.3g}"
        metrics[f"coverage_{name}"] = float(inside[is_known].mean())
        metrics[f"width_{name}"] = float((quantiles[..., -1] - quantiles[..., 0])[is_known].mean())
    return metrics
