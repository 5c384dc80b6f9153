"""Local times of tables with dates: converted to UTC when they are read, and back in forecasts."""

import datetime
from collections import Counter
from collections.abc import Callable, Iterable
from zoneinfo import ZoneInfo, available_timezones

import numpy as np

from seqzoo.tasks.data.frequency import shown_dates, without_fractions
from seqzoo.tasks.errors import SeqzooError, nearest

UTC = datetime.UTC


def zone_of(name: str) -> ZoneInfo:
    """A time zone of the IANA database, such as "Europe/Berlin".

    Raises:
        SeqzooError: there is no such time zone.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:  # unknown, a folder of zones, or not a path
        zones = sorted(available_timezones())
        advice = nearest(name, zones) if zones else "; none are installed: pip install tzdata."
        raise SeqzooError(
            f"`timezone` must be a time zone such as Europe/Berlin, got {name!r}{advice}",
            field="timezone",
            got=name,
        ) from error


def to_utc(
    dates: np.ndarray, owners: Iterable[str], name: str, location: Callable[[int], str]
) -> np.ndarray:
    """Local times as UTC; of two equal times of a series when clocks go back, the first row is the
    earlier one, or the last one if the dates of the series mostly decrease.

    Args:
        dates: the local times, datetime64, (rows,).
        owners: the series of each row.
        name: the time zone.
        location: see `parse_dates`.

    Raises:
        SeqzooError: a time was skipped when clocks went forward.
    """
    zone, results = zone_of(name), []
    times: list[datetime.datetime] = dates.astype("datetime64[us]").tolist()
    keys = list(zip(owners, times, strict=True))
    latest, increases = dict[str, datetime.datetime](), Counter()
    for owner, time in keys:
        before = latest.get(owner, time)
        increases[owner] += (time > before) - (time < before)
        latest[owner] = time
    seen, counts = Counter(), Counter(keys)
    for row, (owner, time) in enumerate(keys):
        earlier = seen[owner, time]
        seen[owner, time] += 1
        if increases[owner] < 0:
            earlier = counts[owner, time] - seen[owner, time]
        utc = time.replace(tzinfo=zone, fold=min(earlier, 1)).astimezone(UTC)
        if utc.astimezone(zone).replace(tzinfo=None) != time:
            raise SeqzooError(
                f"{location(row)}: there is no {shown_dates(dates[[row]])[0]} in {name}, where "
                "clocks go forward at that time; delete the row.",
                location=location(row),
                field="timezone",
            )
        results.append(utc.replace(tzinfo=None))
    return without_fractions(np.array(results, "datetime64[us]"))


def to_local(dates: np.ndarray, name: str | None) -> np.ndarray:
    """Dates in UTC as local times; unchanged if no time zone is named."""
    if name is None:
        return dates
    zone = zone_of(name)
    times: list[datetime.datetime] = dates.astype("datetime64[us]").tolist()
    local = [time.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None) for time in times]
    return without_fractions(np.array(local, "datetime64[us]"))


def may_be_set_back(date: np.datetime64) -> bool:
    """Whether clocks are often set back at a local time: before 4:00 on a Sunday."""
    time: datetime.datetime = date.astype("datetime64[us]").item()
    return time.isoweekday() == 7 and time.hour < 4
