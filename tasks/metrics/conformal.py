"""Conformal correction: shifts quantiles so that the fraction of held-out values below each one
matches its level."""

from collections.abc import Sequence

import numpy as np

FEW_RESIDUALS = 100
"""Minimum number of held-out values for a step and a target to get their own correction."""


def level_corrections(above: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """The corrections of quantiles.

    Each quantile is shifted by the quantile, at the same level, of the values minus it, with its
    rank rounded outwards to allow for the number of values, as in one-sided split conformal
    prediction (Romano et al. 2019). If there are too few values for a step and a target, those of
    all steps are used, and if these are still too few, those of all targets.

    Args:
        above: the true values minus their quantiles, (windows, horizon, targets, levels); NaN where
            a value is missing.
        levels: the levels of the quantiles; NaN for one that is not corrected.

    Returns: the values to add, (horizon, targets, levels), float32.
    """
    _, horizon, targets, count = above.shape
    result = np.zeros((horizon, targets, count), np.float32)
    for position, level in enumerate(levels):
        if np.isnan(level):
            continue
        distances = above[..., position]
        for target in range(targets):
            for step in range(horizon):
                values = _observed(distances[:, step, target])
                if len(values) < FEW_RESIDUALS:
                    values = _observed(distances[:, :, target])
                if len(values) < FEW_RESIDUALS:
                    values = _observed(distances)
                if len(values):
                    result[step, target, position] = _outer_quantile(values, level)
    return result


def _outer_quantile(values: np.ndarray, level: float) -> float:
    """The quantile of values, with its rank rounded outwards: for levels of at least 0.5, the value
    of rank ceil((n + 1) * level)."""
    n = len(values)
    if level < 0.5:
        return -_outer_quantile(-values, 1 - level)
    rank = min(int(np.ceil((n + 1) * level - 1e-9)), n)
    return float(np.partition(values, rank - 1)[rank - 1])


def _observed(values: np.ndarray) -> np.ndarray:
    return values[np.isfinite(values)]
