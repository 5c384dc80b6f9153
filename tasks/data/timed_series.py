"""Series whose steps are not evenly spaced: their values, with the time between the steps."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, get_args

import numpy as np

from seqzoo.tasks.errors import SeqzooError, nearest
from seqzoo.tasks.kinds import TimeValues


@dataclass(frozen=True, eq=False)
class TimedSeries:
    """A raw input of a model whose cell is time-aware, such as "cfc".

    Attributes:
        values: numbers of shape (time,) or (time, features).
        elapsed: the time since the previous step, (time,), at least 0, in any unit; the first is
            the time before the series, usually 0. timedelta64 becomes seconds.

    Raises:
        SeqzooError: there is not one time per step, or a time is negative or not finite.
    """

    values: Any
    elapsed: Any

    def __post_init__(self) -> None:
        for name, dtype in (("values", np.float32), ("elapsed", np.float64)):
            try:
                array = np.asarray(getattr(self, name))
                if array.dtype.kind == "m":
                    array = array / np.timedelta64(1, "s")
                array = np.asarray(array, dtype)
            except (TypeError, ValueError) as error:
                raise SeqzooError(
                    f"`{name}` must be numbers, in the same shape at each step.", field=name
                ) from error
            object.__setattr__(self, name, array)
        if problem := fault(self.elapsed, len(np.atleast_1d(self.values))):
            raise SeqzooError(f"`elapsed` {problem}.", field="elapsed")

    @classmethod
    def at(cls, values: Any, timestamps: Any) -> "TimedSeries":
        """A series from the time of each step, (time,), which must not decrease: numbers in any
        unit, or dates and times, which become seconds.

        Raises:
            SeqzooError: times decrease or are not finite, or there is not one time per step.
        """
        times = timestamps_of(timestamps)
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


def timestamps_of(times: Any) -> np.ndarray:
    """Times as numbers, float64, (time,): dates and times become seconds since 1970.

    Args:
        times: numbers, or dates and times: datetime64, `datetime` or ISO 8601 texts.

    Raises:
        SeqzooError: one is neither.
    """
    try:
        array = np.asarray(times)
        if array.dtype.kind == "M":
            return (array - np.datetime64(0, "s")) / np.timedelta64(1, "s")
        if array.dtype.kind in "OU":
            array = np.array([_number_of(item) for item in array.tolist()])
        return np.asarray(array, np.float64)
    except (TypeError, ValueError) as error:
        raise SeqzooError(
            "`timestamps` must be numbers, or dates and times such as 2020-01-31T12:00, one for "
            "each step.",
            field="timestamps",
        ) from error


def _number_of(time: Any) -> Any:
    seconds = seconds_since_1970(time)
    return time if seconds is None else seconds


def seconds_since_1970(time: Any) -> float | None:
    """A date and time, an ISO 8601 text or a `datetime`, as seconds since 1970; in UTC if it has no
    time zone. None for anything else, numbers included."""
    if isinstance(time, str):
        if _is_number(time):  # `fromisoformat` would read "20200131" as a date
            return None
        try:
            time = datetime.fromisoformat(time.strip())
        except ValueError:
            return None
    if not isinstance(time, datetime):
        return None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


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
        SeqzooError: see `TimedSeries`; the message names the example. Or the meaning is unknown.
    """
    known = get_args(TimeValues)
    if meaning not in known:
        raise SeqzooError(
            f"`time_values` must be one of {', '.join(known)}, got {meaning!r}"
            f"{nearest(str(meaning), known)}",
            field="time_values",
        )
    joined = []
    make = TimedSeries if meaning == "elapsed" else TimedSeries.at
    for index, (values, time) in enumerate(zip(inputs, times, strict=True)):
        try:
            joined.append(make(values, time))
        except SeqzooError as error:
            raise error.at(f"example {index}") from error
    return joined
