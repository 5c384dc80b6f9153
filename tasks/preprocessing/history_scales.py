"""Means and standard deviations of series and covariates, some of whose values are missing."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqzoo.tasks.data.history import History
from seqzoo.tasks.preprocessing.static_numbers import is_missing_number

COARSE = 1e-5
"""Standard deviation, relative to the mean, below which float32 has less than a hundred values in a
standard deviation."""


def column_moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each column, ignoring missing values; 0 and 1 for a column
    without values, and a deviation of 1 for a constant one."""
    observed = np.isfinite(values)
    count = np.maximum(observed.sum(0), 1)
    mean = np.where(observed, values, 0).sum(0) / count
    scale = np.sqrt(np.where(observed, np.square(values - mean), 0).sum(0) / count)
    # The deviations of equal values from their rounded mean need not be zero.
    return mean, np.where(varies(values) & (scale > 0), scale, 1.0)


def varies(values: np.ndarray) -> np.ndarray:
    """Whether each column has different values, apart from missing ones."""
    observed = np.isfinite(values)
    highest = np.where(observed, values, -np.inf).max(0, initial=-np.inf)
    return highest > np.where(observed, values, np.inf).min(0, initial=np.inf)


def original_moments(histories: Sequence[History], template: Any) -> dict[str, Any]:
    """The moments of each series before the transform; nothing if there is no transform."""
    if template.transform == "none":
        return {}
    moments = [column_moments(history.values) for history in histories]
    return {
        "original_mean": [mean.tolist() for mean, _ in moments],
        "original_scale": [scale.tolist() for _, scale in moments],
    }


def pooled_moments(arrays: Sequence[np.ndarray]) -> tuple[list[float], list[float]]:
    """The moments of the columns of several arrays together."""
    mean, scale = column_moments(np.concatenate(arrays))
    return mean.tolist(), scale.tolist()


def learned_static(values: Sequence[Any]) -> Any:
    """The mean and standard deviation of a numeric static covariate, of which values may be
    missing, or the names of any other."""
    try:
        present = [[float(value)] for value in values if not is_missing_number(value)]
    except (TypeError, ValueError):
        present = []
    if not present:
        return sorted({str(value) for value in values})
    numbers = np.array(present)
    (mean,), (scale,) = pooled_moments([numbers])
    return {"mean": mean, "scale": scale}


def coarse_remarks(
    histories: Sequence[History], scales: Sequence[tuple[np.ndarray, np.ndarray]]
) -> list[str]:
    """A remark on values that vary too little for float32, if there are any.

    Args:
        histories: the series in training.
        scales: the moments of each.
    """
    coarse = [
        (history.name, float(mean[column]), float(scale[column]))
        for history, (mean, scale) in zip(histories, scales, strict=True)
        for column in np.flatnonzero(varies(history.values) & (scale < COARSE * abs(mean)))
    ]
    if not coarse:
        return []
    name, level, spread = coarse[0]
    return [
        f"{f'Values of {name!r}' if name else 'Values'} vary by {spread:.3g} around {level:.9g}, "
        "too little for numbers of 32 bits; subtract a constant from them."
    ]
