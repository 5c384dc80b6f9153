"""The frequency of a series with dates: how far apart its steps are, and the dates that follow."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np

from seqzoo.tasks.errors import SeqzooError

Unit = Literal["microsecond", "second", "business day", "month"]

UNITS: dict[str, tuple[int, Unit]] = {
    "microsecond": (1, "microsecond"),
    "millisecond": (1_000, "microsecond"),
    "second": (1, "second"),
    "minute": (60, "second"),
    "hour": (3_600, "second"),
    "day": (86_400, "second"),
    "week": (604_800, "second"),
    "business day": (1, "business day"),
    "month": (1, "month"),
    "quarter": (3, "month"),
    "year": (12, "month"),
}
"""Names of frequencies, each with its number of units and the unit."""

SEASONS = {"second": 60, "minute": 1_440, "hour": 24, "day": 7, "week": 52, "business day": 5}
"""Steps per season, by frequency: a season is a minute for seconds, a day for minutes and hours, a
week for days and business days, and a year for weeks; for months and longer steps it is a year, and
for steps that are not whole seconds a second."""

SECOND = 1_000_000
"""Microseconds per second."""

MANY_DATES = 7
"""Minimum number of dates needed to distinguish business days from days."""


@dataclass(frozen=True)
class Frequency:
    """A constant interval between steps: in seconds or microseconds, in months, or in days from
    Monday to Friday.

    Attributes:
        count: number of units per step; always 1 for business days.
        unit: the unit.
    """

    count: int
    unit: Unit

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads "hour", "15 minutes", "month", "business day".

        Raises:
            SeqzooError: the text is not such a frequency.
        """
        match = re.fullmatch(r"(\d+)?\s*([a-z ]+?)s?", text.strip().lower())
        count, unit = UNITS.get(match[2] if match else "", (0, "second"))
        number = int(match[1] or 1) if match else 0
        if not count * number or (unit == "business day" and number > 1):
            expected = f"a number and one of {', '.join(UNITS)}, such as '15 minutes'"
            raise SeqzooError(field="frequency", expected=expected, got=text)
        return cls(count * number, unit)

    def __str__(self) -> str:
        """The longest name that fits: "hour", "15 minutes"."""
        name, size = max(
            (
                (name, count)
                for name, (count, unit) in UNITS.items()
                if unit == self.unit and self.count % count == 0
            ),
            key=lambda item: item[1],
        )
        number = self.count // size
        return name if number == 1 else f"{number} {name}s"

    @classmethod
    def infer(cls, dates: np.ndarray) -> Self | None:
        """The frequency of dates, datetime64, in order and without duplicates; None for fewer than
        two. Steps may be missing."""
        if len(dates) < 2:
            return None
        days = dates.astype("datetime64[D]")
        months = np.diff(dates.astype("datetime64[M]").astype(np.int64))
        if months.min() > 0 and (days == _on_day(dates.astype("datetime64[M]"), _day(days))).all():
            return cls(int(np.gcd.reduce(months)), "month")
        steps, counts = np.unique(np.diff(dates), return_counts=True)
        usual = int(steps[counts.argmax()] // np.timedelta64(1, "us"))
        if usual == 86_400 * SECOND and len(dates) >= MANY_DATES and np.is_busday(days).all():
            return cls(1, "business day")
        return cls(usual, "microsecond") if usual % SECOND else cls(usual // SECOND, "second")

    def positions(self, dates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The number of steps from the first date to each date, int64, and whether each date is a
        whole number of steps away."""
        if self._step is not None:
            since = dates - dates[0]
            return since // self._step, since % self._step == np.timedelta64(0, "us")
        days = dates.astype("datetime64[D]")
        at_time = dates - days == dates[0] - days[0]
        if self.unit == "business day":
            first = np.busday_offset(days[0], 0, "forward")
            return np.busday_count(first, days), at_time & np.is_busday(days)
        starts = dates.astype("datetime64[M]")
        months = (starts - starts[0]).astype(np.int64)
        on_day = days == _on_day(starts, _day(days))
        return months // self.count, (months % self.count == 0) & at_time & on_day

    def at(self, dates: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """The dates at some positions, which are counted in steps from the first of `dates`; the
        day of the month is taken from `dates`, too."""
        positions = np.asarray(positions, np.int64)
        if self._step is not None:
            return dates[0] + positions * self._step
        days = dates.astype("datetime64[D]")
        if self.unit == "business day":
            result = np.busday_offset(days[0], positions, "forward")
        else:
            months = (positions * self.count).astype("timedelta64[M]")
            result = _on_day(dates[:1].astype("datetime64[M]") + months, _day(days))
        return result.astype("datetime64[s]") + (dates[0] - days[0])

    @property
    def _step(self) -> np.timedelta64 | None:
        """The length of a step; None for business days and months."""
        codes: dict[Unit, Literal["us", "s"]] = {"microsecond": "us", "second": "s"}
        return np.timedelta64(self.count, codes[self.unit]) if self.unit in codes else None

    def following(self, dates: np.ndarray, steps: int) -> np.ndarray:
        """The dates of the `steps` steps after the given dates, (steps,)."""
        last = int(self.positions(dates)[0][-1])
        return self.at(dates, last + 1 + np.arange(steps))

    @property
    def season(self) -> int:
        """Usual number of steps in a season; 1 if a season is not a whole number of steps."""
        if self.unit == "month":
            return max(12 // self.count, 1) if 12 % self.count == 0 else 1
        if self.unit == "business day":
            return SEASONS["business day"]
        if self.unit == "microsecond":
            return max(SECOND // self.count, 1) if SECOND % self.count == 0 else 1
        size, steps = max(
            (UNITS[name][0], SEASONS[name])
            for name in ("second", "minute", "hour", "day", "week")
            if self.count % UNITS[name][0] == 0
        )
        return size * steps // self.count if size * steps % self.count == 0 else 1

    @property
    def seconds(self) -> float:
        """The length of a step, in seconds; the mean length of months and business days."""
        if self.unit == "microsecond":
            return self.count / SECOND
        return self.count * {"second": 1, "business day": 120_960, "month": 2_629_746}[self.unit]


def _day(days: np.ndarray) -> int:
    """The day of the month that monthly steps fall on; shorter months have it at their end. It is
    31 if all dates are the ends of their months, and otherwise the latest day among them."""
    if (days == _on_day(days.astype("datetime64[M]"), 31)).all():
        return 31
    return int((days - days.astype("datetime64[M]")).astype(np.int64).max()) + 1


def _on_day(months: np.ndarray, day: int) -> np.ndarray:
    """The given day of each month, or the last day of shorter months."""
    one_day = np.timedelta64(1, "D")
    last = (months + np.timedelta64(1, "M")).astype("datetime64[D]") - one_day
    return np.minimum(months.astype("datetime64[D]") + (day - 1) * one_day, last)


def without_fractions(dates: np.ndarray) -> np.ndarray:
    """Dates, datetime64[us], as datetime64[s], unless one has a fraction of a second."""
    seconds = dates.astype("datetime64[s]")
    return seconds if (seconds == dates).all() else dates


def shown_dates(dates: np.ndarray) -> Sequence[str]:
    """Dates in readable form: "2016-07-01", with the time of day if any has one."""
    units: Any = ("D", "m", "s", "ms", "us")
    unit = next(unit for unit in units if (dates.astype(f"datetime64[{unit}]") == dates).all())
    return [text.replace("T", " ") for text in np.datetime_as_string(dates, unit=unit).tolist()]
