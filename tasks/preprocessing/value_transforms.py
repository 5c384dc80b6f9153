"""Invertible transforms of the values of a series, applied before it is standardised."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from seqzoo.tasks.data.frequency import shown_dates
from seqzoo.tasks.data.history import History
from seqzoo.tasks.errors import SeqzooError


class ValueTransform(NamedTuple):
    """An increasing function of single values, and its inverse.

    Attributes:
        arrays: the function on NumPy arrays.
        tensors: the function on tensors; values outside its domain become NaN or infinite, which
            count as missing.
        inverse: the inverse on tensors.
        array_inverse: the inverse on NumPy arrays.
        above: exclusive lower bound of its domain.
        expected: the domain in words, for messages.
        advice: what to do about values outside the domain.
    """

    arrays: Callable[[Any], Any]
    tensors: Callable[[Any], Any]
    inverse: Callable[[Any], Any]
    array_inverse: Callable[[Any], Any]
    above: float
    expected: str
    advice: str

    def check(self, history: History, location: str, name: str) -> None:
        """Checks that all values of a history are in the domain.

        Args:
            history: the history; missing values are allowed.
            location: its location, for the message.
            name: the name of the transform.

        Raises:
            SeqzooError: a value is not.
        """
        outside = history.values <= self.above  # NaN is not
        _refuse(
            outside,
            history,
            f"The transform {name!r} needs {self.expected}",
            location,
            self.advice,
            "transform",
        )


def check_counts(history: History, location: str) -> None:
    """Checks that the values of a history are counts, which a negative binomial distribution needs.

    Raises:
        SeqzooError: a value is negative or not a whole number.
    """
    values = history.values
    outside = (values < 0) | (values % 1 != 0) & np.isfinite(values)
    needs = "The distribution 'negative-binomial' needs counts"
    _refuse(outside, history, needs, location, "choose another distribution", "distribution")


def _refuse(
    outside: np.ndarray, history: History, needs: str, location: str, advice: str, field: str
) -> None:
    """Raises SeqzooError if any value is outside the range, naming the first one."""
    if not outside.any():
        return
    step, column = np.argwhere(outside)[0]
    series = f" in series {history.name!r}" if history.name else ""
    raise SeqzooError(
        f"{needs}, got {history.values[step, column]:g} on "
        f"{shown_dates(history.dates[[step]])[0]}{series} ({location}); {advice}.",
        location=location,
        field=field,
    )


def _same(values: Any) -> Any:
    return values


TRANSFORMS: dict[str, ValueTransform] = {
    "none": ValueTransform(_same, _same, _same, _same, -np.inf, "numbers", ""),
    "log": ValueTransform(
        np.log,
        tf.math.log,
        tf.math.exp,
        np.exp,
        0.0,
        "positive values",
        "use 'log1p' for values of at least 0, or 'none'",
    ),
    "log1p": ValueTransform(
        np.log1p, tf.math.log1p, tf.math.expm1, np.expm1, -1.0, "values above -1", "use 'none'"
    ),
}
"""The transforms of values by name; "none" leaves them as they are."""
