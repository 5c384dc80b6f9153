"""Errors of numeric predictions and of baselines."""

from collections.abc import Sequence

import numpy as np


def errors(difference: np.ndarray) -> dict[str, float]:
    """Mean absolute error and root mean squared error, over all rows and columns."""
    return {
        "mae": float(np.abs(difference).mean()),
        "rmse": float(np.sqrt(np.square(difference).mean())),
    }


def errors_of_mean(values: np.ndarray, mean: Sequence[float] | None) -> dict[str, float]:
    """The errors of always predicting the mean of the training examples.

    Args:
        values: targets in the units of the data, float64; shape (rows, columns).
        mean: the training mean of each column; None if it is not known, for no errors.
    """
    if mean is None:
        return {}
    result = errors(values - np.asarray(mean))
    return {f"{name}_of_mean": value for name, value in result.items()}
