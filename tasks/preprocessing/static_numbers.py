"""Static covariates as numbers; imports no other module of the project: predict.py includes it."""

import math
from typing import Any

MISSING = ("", "na", "n/a", "#n/a", "<na>", "nan", "null", "none", "\\n", "-", "?")
"""Spellings of a missing number in files, in lower case; \\N is that of SQL."""


def is_missing_number(value: Any) -> bool:
    """Whether a static number is missing."""
    return value is None or (isinstance(value, str) and value.strip().lower() in MISSING)


def static_numbers(value: Any, learned: Any) -> list[float]:
    """One static covariate as the numbers that a model reads.

    Args:
        value: a number or a name; a missing number is read as the mean.
        learned: "mean" and "scale" of a number in training, which standardise it; or the names in
            training, each of which becomes 1 or 0.

    Raises:
        TypeError, ValueError: the value must be a number and is not.
    """
    if isinstance(learned, list):
        return [float(str(value) == name) for name in learned]
    value = math.nan if is_missing_number(value) else value
    number = (float(value) - learned["mean"]) / learned["scale"]
    return [number if math.isfinite(number) else 0.0]
