"""A series with dates and covariates: the raw input of a forecast."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from seqzoo.tasks.data.frequency import Frequency, without_fractions
from seqzoo.tasks.data.offset_dates import in_utc
from seqzoo.tasks.errors import SeqzooError


def _no_covariates() -> np.ndarray:
    return np.zeros((0, 0), np.float64)


@dataclass(frozen=True, eq=False)
class History:
    """One series, one row per step; NaN marks a missing value.

    Attributes:
        dates: the dates of the steps, datetime64, (time,); evenly spaced. Those with an offset,
            such as "2024-01-31T14:00+01:00", are converted to UTC. A model that was trained with
            `timezone` takes dates in UTC.
        values: the series to forecast, (time,) or (time, targets). Rows after the last value that
            is not missing are the future, for which covariates may be known.
        past: covariates that are known only up to that value, (time, past).
        known: covariates that are also known for the future, (time, known).
        static: static covariates, which do not change over time: numbers or names.
        name: the name of the series.
        since: the first step that is scored or trained on; earlier ones are only input.
        frequency: time between steps, or its name, such as "day"; None to infer it from the dates.

    Raises:
        SeqzooError: arrays have different lengths, or dates are not in order and evenly spaced.
    """

    dates: Any
    values: Any
    past: Any = field(default_factory=_no_covariates)
    known: Any = field(default_factory=_no_covariates)
    static: tuple[Any, ...] = ()
    name: str = ""
    since: int = 0
    frequency: Any = None

    def __post_init__(self) -> None:
        if isinstance(self.frequency, str):
            object.__setattr__(self, "frequency", Frequency.parse(self.frequency))
        try:
            given = np.asarray(self.dates)
            if given.size and given.dtype.kind in "iufb":  # would count seconds since 1970
                raise TypeError("they are numbers")
            if given.dtype.kind in "UO" and given.ndim == 1:
                given = np.array([in_utc(date) for date in given.tolist()], object)
            dates = without_fractions(given.astype("datetime64[us]"))
        except (OverflowError, TypeError, ValueError) as error:
            raise SeqzooError(
                f"`dates` of a history must be dates such as 2024-01-31T14:00: {error}.",
                field="dates",
            ) from error
        ordered = dates.ndim == 1 and len(dates) and not np.isnat(dates).any()
        if not ordered or (np.diff(dates) <= np.timedelta64(0, "s")).any():
            raise SeqzooError(
                "`dates` of a history must be one or more dates in order, without duplicates.",
                field="dates",
            )
        object.__setattr__(self, "dates", dates)
        for name in ("values", "past", "known"):
            try:
                array = np.asarray(getattr(self, name), np.float64)
            except (TypeError, ValueError) as error:
                raise SeqzooError(f"`{name}` of a history must be numbers.", field=name) from error
            array = array[:, None] if array.ndim == 1 else array
            if not array.size and name != "values":
                array = np.zeros((len(dates), 0))
            if array.ndim != 2 or len(array) != len(dates):
                raise SeqzooError(
                    f"`{name}` of a history must have one row per date ({len(dates)} in all), "
                    f"got shape {array.shape}.",
                    field=name,
                )
            if np.isinf(array).any():
                step = int(np.argmax(np.isinf(array).any(1)))
                raise SeqzooError(
                    f"`{name}` of a history must be finite, or NaN if they are missing, but step "
                    f"{step} is infinite.",
                    field=name,
                )
            object.__setattr__(self, name, array)
        if self.frequency is None:
            object.__setattr__(self, "frequency", Frequency.infer(dates))
        frequency: Any = self.frequency
        if frequency is not None:
            steps, aligned = frequency.positions(dates)
            if not aligned.all() or (np.diff(steps) != 1).any():
                raise SeqzooError(
                    f"Dates of a history must be evenly spaced, one per {self.frequency}; add "
                    "a row of NaN for each missing step.",
                    field="dates",
                )

    def __len__(self) -> int:
        return len(self.dates)

    @property
    def end(self) -> int:
        """The step after the last value that is not missing."""
        present = np.flatnonzero(np.isfinite(self.values).any(1))
        return int(present[-1]) + 1 if len(present) else 0

    def cut(self, stop: int, since: int = 0) -> "History":
        """The steps before `stop`, of which those from `since` on are scored.

        Raises:
            SeqzooError: `stop` is not a number of its steps, or `since` is above it.
        """
        if not 0 < stop <= len(self):
            expected = f"at least 1 and at most the number of steps, {len(self):,}"
            raise SeqzooError(field="stop", expected=expected, got=stop)
        if not 0 <= since <= stop:
            raise SeqzooError(
                field="since", expected=f"at least 0 and at most `stop`, {stop:,}", got=since
            )
        parts = {name: getattr(self, name)[:stop] for name in ("dates", "values", "past", "known")}
        return replace(self, **parts, since=since)

    def without_last(self, steps: int) -> "History":
        """The history whose last values are unknown, and their dates and covariates the future:
        `steps` of them, or as many as leave one value."""
        (present,) = np.nonzero(np.isfinite(self.values).any(1))
        first = int(present[0]) if len(present) else 0
        end = max(self.end - steps, first + 1)
        values = self.values.copy()
        values[end:] = np.nan
        stop = min(end + steps, len(self))
        return replace(self.cut(stop), values=values[:stop], since=0)


class Continuation(History):
    """A history followed by forecasts, which may be values that data cannot have: the mean of a
    distribution of counts need not be a whole number."""
