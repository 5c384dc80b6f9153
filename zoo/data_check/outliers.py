"""Numbers that are far from the others."""

import numpy as np

OUTLIER = 20.0
"""Distance from the median, in interquartile ranges, beyond which a value is an outlier."""


def outliers(values: np.ndarray) -> np.ndarray:
    """Which values are outliers among those of their column, bool in the shape of `values`.

    A column whose interquartile range is 0 has none.

    Args:
        values: shape (rows, ...).
    """
    low, median, high = np.percentile(values, [25, 50, 75], axis=0)
    return (np.abs(values - median) > OUTLIER * (high - low)) & (high > low)
