"""Errors of numeric predictions and of baselines."""

from collections.abc import Sequence

import numpy as np


def errors(difference: np.ndarray) -> dict[str, float]:
    """Mean absolute error and root mean squared error, over all rows and columns."""
    return {
        "mae": float(np.abs(difference).mean()),
        "rmse": float(np.sqrt(np.square(difference).mean())),
    }


def errors_of_mean(standardised: np.ndarray, scale: Sequence[float]) -> dict[str, float]:
    """The errors of always predicting the mean of the training examples.

    Args:
        standardised: targets, standardised with the training mean and standard deviation; shape
            (rows, columns).
        scale: the training standard deviation of each column.
    """
    result = errors(standardised.astype(np.float64) * np.asarray(scale))
    return {f"{name}_of_mean": value for name, value in result.items()}
