"""A linear model from the last steps of a series to the next ones: a baseline for forecasts."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

PENALTIES = tuple(10.0**power for power in range(-6, 3))
"""Penalties to choose from, relative to the mean eigenvalue of the normal equations."""

HELD_OUT = 0.2
"""Fraction of the windows, the last ones of each series, on which the penalty is chosen."""

MAX_WINDOWS = 20_000
"""Approximate maximum number of windows in the regression."""


MAX_IMPUTATIONS = 200
"""Maximum number of times that missing targets are replaced by predictions."""

CHANGE = 1e-4
"""Largest change of the weights, relative to the largest one, at which these replacements end."""


class LinearForecast:
    """Ridge regression from the look-back to the horizon, both minus the last value of the
    look-back. All series and targets share it, as in NLinear (Zeng et al. 2023).

    Args:
        weights: shape (look-back + 1, horizon); the last row is the bias.
    """

    def __init__(self, weights: np.ndarray):
        self.weights = weights
        self.look_back, self.horizon = weights.shape[0] - 1, weights.shape[1]

    @classmethod
    def fit(cls, series: Sequence[np.ndarray], template: Any) -> Self | None:
        """Fits the model.

        Args:
            series: the training series, (time, targets) each, without missing values.
            template: a template with `look_back` and `horizon`.

        Returns: the fitted model; None if no series is as long as two windows.
        """
        look_back, horizon = template.look_back, template.horizon
        length = look_back + horizon
        counts = [max(len(item) - length + 1, 0) * item.shape[1] for item in series]
        step = max(-(-sum(counts) // MAX_WINDOWS), 1)
        windows = [
            np.lib.stride_tricks.sliding_window_view(item, length, 0)[::step].reshape(-1, length)
            for item, count in zip(series, counts, strict=True)
            if count
        ]
        if not windows or max(map(len, series)) < 2 * length:
            return None
        inputs, targets = _split_windows(np.concatenate(windows), look_back)
        is_held_out = np.concatenate([is_last(len(item)) for item in windows])
        return cls(fit_linear(inputs, targets, is_held_out))

    def predict(
        self, series: Sequence[np.ndarray], owners: np.ndarray, origins: np.ndarray
    ) -> np.ndarray:
        """Forecasts, (windows, horizon, targets).

        Args:
            series: arrays (time, targets).
            owners: the index of each window's series.
            origins: the first step of each window's horizon.
        """
        result = np.zeros((len(owners), self.horizon, series[0].shape[1]))
        for index, item in enumerate(series):
            chosen = np.flatnonzero(owners == index)
            # Series that begin within a window are extended backwards with their first value.
            padded = np.pad(item, ((self.look_back, 0), (0, 0)), mode="edge")
            steps = origins[chosen][:, None] + np.arange(self.look_back)
            for target in range(item.shape[1]):
                inputs, last = _inputs(padded[:, target][steps])
                result[chosen, :, target] = inputs @ self.weights + last
        return result


def fit_linear(inputs: np.ndarray, targets: np.ndarray, is_held_out: np.ndarray) -> np.ndarray:
    """Weights of a ridge regression, (features, targets), fitted to all rows with the penalty that
    is best for held-out rows after fitting to the others.

    Args:
        inputs: (rows, features).
        targets: (rows, targets); NaN where missing.
        is_held_out: whether each row is held out for the choice of the penalty, (rows,).
    """
    fitted = _Sums(inputs[~is_held_out], targets[~is_held_out])
    held_out = inputs[is_held_out], targets[is_held_out]
    losses = [
        float(np.nanmean(np.square(held_out[0] @ fitted.solve(penalty) - held_out[1])))
        if np.isfinite(held_out[1]).any()
        else 0.0
        for penalty in PENALTIES
    ]
    return _Sums(inputs, targets).solve(PENALTIES[int(np.argmin(losses))])


class _Sums:
    """The normal equations of a regression, decomposed once for all penalties."""

    def __init__(self, inputs: np.ndarray, targets: np.ndarray):
        self.inputs, self.targets = inputs, targets
        self.is_missing = np.isnan(targets)
        self.values, self.vectors = np.linalg.eigh(inputs.T @ inputs)

    def solve(self, penalty: float) -> np.ndarray:
        """The weights for a penalty. Missing targets are replaced by what the weights predict until
        the weights no longer change, which fits them to the other targets alone (expectation
        maximisation)."""
        damped = np.maximum(self.values, 0) + penalty * max(self.values.mean(), 1e-12)

        def solved(targets: np.ndarray) -> np.ndarray:
            right = self.vectors.T @ (self.inputs.T @ targets)
            return self.vectors @ (right / damped[:, None])

        weights = solved(np.where(self.is_missing, 0.0, self.targets))
        for _ in range(MAX_IMPUTATIONS if self.is_missing.any() else 0):
            filled = np.where(self.is_missing, self.inputs @ weights, self.targets)
            before, weights = weights, solved(filled)
            if np.abs(weights - before).max() <= CHANGE * np.abs(weights).max():
                break
        return weights


def is_last(count: int) -> np.ndarray:
    """Whether each of the `count` windows of a series is one of the last, which are held out."""
    return np.arange(count) >= max(round(count * (1 - HELD_OUT)), 1)


def _split_windows(windows: np.ndarray, look_back: int) -> tuple[np.ndarray, np.ndarray]:
    inputs, last = _inputs(windows[:, :look_back])
    return inputs, windows[:, look_back:] - last


def _inputs(behind: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The inputs of the regression, with a column of ones, and the last value of each look-back."""
    last = behind[:, -1:]
    return np.concatenate([behind - last, np.ones_like(last)], 1), last
