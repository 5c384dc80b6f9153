"""Series whose steps are not evenly spaced: their values, with the time between the steps."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.kinds import TimeValues


@dataclass(frozen=True, eq=False)
class TimedSeries:
    """A raw input of a model whose cell is time-aware, such as "cfc".

    Attributes:
        values: numbers of shape (time,) or (time, features).
        elapsed: the time since the previous step, (time,), at least 0, in any unit; the first is
            the time before the series, usually 0.

    Raises:
        SeqzooError: there is not one time per step, or a time is negative or not finite.
    """

    values: Any
    elapsed: Any

    def __post_init__(self) -> None:
        for name, dtype in (("values", np.float32), ("elapsed", np.float64)):
            try:
                array = np.asarray(getattr(self, name), dtype)
            except (TypeError, ValueError) as error:
                raise SeqzooError(
                    f"`{name}` must be numbers, in the same shape at each step.", field=name
                ) from error
            object.__setattr__(self, name, array)
        if problem := fault(self.elapsed, len(np.atleast_1d(self.values))):
            raise SeqzooError(f"`elapsed` {problem}.", field="elapsed")

    @classmethod
    def at(cls, values: Any, timestamps: Any) -> "TimedSeries":
        """A series from the time of each step, (time,), which must not decrease.

        Raises:
            SeqzooError: times decrease or are not finite, or there is not one time per step.
        """
        times = np.asarray(timestamps, np.float64)
        if problem := fault(times, len(np.atleast_1d(values)), "timestamps"):
            raise SeqzooError(f"`timestamps` {problem}.", field="timestamps")
        return cls(values, since_before(times))

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, steps: slice) -> "TimedSeries":
        """Some of the steps."""
        return TimedSeries(self.values[steps], self.elapsed[steps])

    def __iter__(self) -> Iterator[Any]:
        """The values and the elapsed time, as a layer expects them."""
        return iter((self.values, self.elapsed))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """An array (time, features + 1), with the elapsed time as the last feature."""
        del copy
        joined = np.column_stack([self.values, self.elapsed])
        return joined if dtype is None else joined.astype(dtype)


def fault(times: np.ndarray, steps: int, meaning: TimeValues = "elapsed") -> str:
    """The first error in the times of a series; empty if there is none.

    Args:
        times: the times.
        steps: the number of steps.
        meaning: "timestamps" or "elapsed", the time since the previous step.
    """
    if times.ndim != 1:
        return f"must have shape (time,), got {times.shape}"
    if len(times) != steps:
        return f"must have one time per step, {steps:,} in all, got {len(times):,}"
    if not np.isfinite(times).all():
        step = int(np.flatnonzero(~np.isfinite(times))[0])
        return f"must be finite, got {times[step]:g} at step {step}"
    if meaning == "elapsed":
        if (times < 0).any():
            step = int(np.flatnonzero(times < 0)[0])
            return f"must be at least 0, got {times[step]:.10g} at step {step}"
    elif (np.diff(times) < 0).any():
        step = int(np.flatnonzero(np.diff(times) < 0)[0]) + 1
        before, now = times[step - 1 : step + 1]
        return f"must not decrease, got {now:.15g} after {before:.15g} at step {step}"
    return ""


def since_before(timestamps: np.ndarray) -> np.ndarray:
    """The time since the previous step, 0 for the first, (time,)."""
    return np.diff(timestamps, prepend=timestamps[:1])


def timed_column(
    inputs: Sequence[Any], times: Sequence[Any], meaning: TimeValues
) -> list[TimedSeries]:
    """Series joined with their times.

    Args:
        inputs: the values of each series.
        times: the times of each series.
        meaning: "timestamps" or "elapsed", the time since the previous step.

    Raises:
        SeqzooError: see `TimedSeries`; the message names the example.
    """
    joined = []
    make = TimedSeries if meaning == "elapsed" else TimedSeries.at
    for index, (values, time) in enumerate(zip(inputs, times, strict=True)):
        try:
            joined.append(make(values, time))
        except SeqzooError as error:
            raise error.at(f"example {index}") from error
    return joined
