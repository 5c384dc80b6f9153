"""Dates in a column of text, in any common format, which is inferred from the entire column."""

import datetime
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from seqzoo.tasks.data.frequency import Frequency, without_fractions
from seqzoo.tasks.errors import SeqzooError

MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)

PIVOT_YEAR = 69
"""Two-digit years from this one on are in the twentieth century, as in POSIX."""

YEARS = ("year", "yr", "yy", "y")
QUARTERS = ("quarter", "qtr", "q")
WEEKS = ("week", "isoweek", "wk", "w")
DAYS = ("day", "dayofyear", "day_of_year", "doy", "yday")
TIMES = ("hour", "minute", "second")
"""Common names of columns of numbers that are parts of a date."""

_TIME = (
    r"(?:(?:[T ]\s*|, )(?P<hour>\d{1,2})"
    r"(?::(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d+))?)?|(?=\s*[AaPp]\.?[Mm]))"
    r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?)?"
)
_WEEKDAY = re.compile(r"(?i)^(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?,? ")
_NAME = r"(?P<name>[A-Za-z]{3,9})\.?"

FORMS: dict[str, str] = {
    "year-month-day": (
        rf"(?P<year>\d{{4}})[-/. ](?P<month>\d{{1,2}})[-/. ](?P<day>\d{{1,2}}){_TIME}"
    ),
    "yearmonthday": rf"(?P<year>\d{{4}})(?P<month>\d{{2}})(?P<day>\d{{2}}){_TIME}",
    # Only in these centuries, so that most seconds and milliseconds since 1970 do not match.
    "yearmonthdayhour": (
        r"(?P<year>(?:19|20)\d{2})(?P<month>\d{2})(?P<day>\d{2})(?P<hour>\d{2})"
        r"(?:(?P<minute>\d{2})(?P<second>\d{2})?)?"
    ),
    "day/month/year": (
        rf"(?P<day>\d{{1,2}})[-/. ](?P<month>\d{{1,2}})[-/. ](?P<year>\d{{4}}|\d{{2}}){_TIME}"
    ),
    "month/day/year": (
        rf"(?P<month>\d{{1,2}})[-/. ](?P<day>\d{{1,2}})[-/. ](?P<year>\d{{4}}|\d{{2}}){_TIME}"
    ),
    "day month-name year": (
        rf"(?P<day>\d{{1,2}})[-/. ]*{_NAME}[-/. ,]*(?P<year>\d{{4}}|\d{{2}})"
        rf"{_TIME}"
    ),
    "month-name day year": rf"{_NAME} (?P<day>\d{{1,2}}),? (?P<year>\d{{4}}){_TIME}",
    "year-month": r"(?P<year>\d{4})[-/. ]?(?P<month>\d{2})|(?P<year2>\d{4})[-/.](?P<month2>\d)",
    "month/year": r"(?P<month>\d{1,2})[-/.](?P<year>\d{4})",
    "month-name year": (
        rf"{_NAME}[-/. ,]*(?P<year>\d{{4}})|(?P<name2>[A-Za-z]{{3}})-(?P<year2>\d{{2}})"
    ),
    "year month-name": rf"(?P<year>\d{{4}})[-/. ]*{_NAME}",
    "year quarter": r"(?P<year>\d{4})[-/ ]?[Qq](?P<quarter>[1-4])",
    "quarter year": (
        r"[Qq](?P<quarter>[1-4])[-/ ]?(?P<year>\d{4})|(?P<quarter2>[1-4])[Qq][-/ ]?(?P<year2>\d{4})"
    ),
    "year week": r"(?P<year>\d{4})-?[Ww](?P<week>\d{2})(?:-?(?P<weekday>[1-7]))?",
    "year": r"(?P<year>\d{4})(?:\.0)?",
    "seconds since 1970": r"(?P<epoch>\d{9,10})(?:\.(?P<fraction>\d+))?",
    "milliseconds since 1970": r"(?P<epoch>\d{9,10})(?P<fraction>\d{3})",
    "microseconds since 1970": r"(?P<epoch>\d{9,10})(?P<fraction>\d{6})",
    "nanoseconds since 1970": r"(?P<epoch>\d{9,10})(?P<fraction>\d{9})",
}
"""Date formats as regular expressions."""

AMBIGUOUS = ("day/month/year", "month/day/year")
"""Formats that may both match the same text; a `date_format` that names one says which to use."""

_ZONED_FORM = re.compile(r"%[Zz]|(?:Z|UTC|GMT|[+-]\d{2}:?\d{2})$")
"""Matches the format of dates with a time zone of their own."""

_WHOLE = re.compile(r"(\d{1,4})(?:\.0)?")
_DOTTED_TIME = re.compile(r"\d{1,2}\.\d{2}(?:\.\d{2})?")


def parse_dates(
    texts: Sequence[str],
    location: Callable[[int], str],
    column: str,
    form: str | None = None,
    timezone: str | None = None,
) -> np.ndarray:
    """The dates of a column; see `dates_and_order`."""
    return dates_and_order(texts, location, column, form, timezone)[0]


def dates_and_order(
    texts: Sequence[str],
    location: Callable[[int], str],
    column: str,
    form: str | None = None,
    timezone: str | None = None,
) -> tuple[np.ndarray, str | None]:
    """The dates of a column, and the order of their days and months; dates with a time zone are
    converted to UTC.

    Returns: the dates, datetime64[us] if fractions of seconds matter, otherwise datetime64[s]; and
        one of `AMBIGUOUS` if the dates are written in that order and not in the other, or None.

    Args:
        texts: the fields.
        location: returns the location of a field: "sales.csv, line 18".
        column: the name of the column, for messages.
        form: a `datetime.strptime` format, such as "%d/%m/%Y"; None to infer it; or one of
            `AMBIGUOUS` to infer it and read dates in that order if they can be.
        timezone: the time zone of local times; None if dates may be in UTC or have an offset.

    Raises:
        SeqzooError: a field is empty or not a date, day and month cannot be told apart, only some
            times have a time zone, or dates have one although they should be local times.
    """
    texts = [text.strip() for text in texts]
    if not is_strptime(form):
        texts = [_WEEKDAY.sub("", text).strip() for text in texts]
    for index, text in enumerate(texts):
        if not text:
            raise SeqzooError(
                f"{location(index)}: {column!r} has no date; fill it in or delete the row.",
                location=location(index),
                field="date_column",
            )
    if form is not None and is_strptime(form):
        dates = _by_format(texts, location, column, form)
        if timezone is not None and texts and _ZONED_FORM.search(form):
            raise _not_local(texts[0], "has a time zone of its own", location(0), timezone)
        return dates, None
    reached: dict[str, int] = {}
    fitting: dict[str, np.ndarray] = {}
    for name, pattern in FORMS.items():
        expression, dates, matches = re.compile(pattern), [], []
        for text in texts:
            match = expression.fullmatch(text)
            date = _date(match) if match else None
            if date is None:
                break
            dates.append(date)
            matches.append(match)
        reached[name] = len(dates)
        if len(dates) == len(texts):
            if timezone is not None:
                _refuse_utc(matches, location, timezone)
            else:
                _refuse_mixture(matches, location, column)
            fitting[name] = _regular(dates)
            if name not in AMBIGUOUS:
                return fitting[name], None
    if not fitting:
        bad = max(reached.values())
        if 0 < bad and bad == len(texts) - footer_rows(texts):
            rows = "the row" if bad == len(texts) - 1 else "the rows"
            raise SeqzooError(
                f"{location(bad)}: {column!r} must be a date, got {texts[bad]!r} below the last "
                f"date, {texts[bad - 1]}; delete {rows} at the end of the table.",
                location=location(bad),
                field="date_column",
                got=texts[bad],
            )
        raise SeqzooError(
            f"{location(bad)}: {column!r} must be a date{' like those before it' if bad else ''}, "
            f"such as 2024-01-31 or 2024-01-31 14:00, got {texts[bad]!r}; set its format with "
            "--date-format.",
            location=location(bad),
            field="date_column",
            got=texts[bad],
        )
    if form in fitting:
        return fitting[form], form
    first = next(iter(fitting.values()))
    if len(fitting) > 1 and all(np.array_equal(first, other) for other in fitting.values()):
        return first, None
    if len(fitting) > 1:
        fitting = _most_regular(fitting)
    if len(fitting) > 1:
        raise SeqzooError(
            f"{location(0)}: {column!r} can be read with the day or the month first, as in "
            f"{texts[0]!r}; say which with --date-format {' or '.join(AMBIGUOUS)}.",
            location=location(0),
            field="date_format",
            got=texts[0],
        )
    order, dates = next(iter(fitting.items()))
    return dates, order


def is_strptime(form: str | None) -> bool:
    """Whether dates are read in a `datetime.strptime` format, rather than in an inferred one."""
    return form is not None and form not in AMBIGUOUS


def joined_dates(columns: Mapping[str, Sequence[Any]], form: str | None = None) -> list[str]:
    """The texts of dates whose parts are in several columns.

    Args:
        columns: the parts by the name of their column, in order: a date and a time of day, or
            numbers such as year, month, day and hour, or year and quarter or week.
        form: see `dates_and_order`; parts of a `datetime.strptime` format are joined by spaces.

    Returns: the texts; "" where a part is missing.
    """
    rows = ([_text(part) for part in row] for row in zip(*columns.values(), strict=True))
    if is_strptime(form) or len(columns) == 1:
        return [" ".join(parts) if all(parts) else "" for parts in rows]
    names = [name.strip().lower() for name in columns]
    return [_joined(parts, names) if all(parts) else "" for parts in rows]


def _joined(parts: Sequence[str], names: Sequence[str]) -> str:
    if names[0] in (*QUARTERS, *WEEKS):
        parts, names = ([pair[1], pair[0], *pair[2:]] for pair in (parts, names))
    whole = [match[1] if (match := _WHOLE.fullmatch(part)) else None for part in parts]
    most = 2 if names[1] in (*QUARTERS, *WEEKS) else 3
    pairs = zip(whole[:most], names, strict=False)
    clear = itertools.takewhile(lambda pair: pair[0] is not None and pair[1] not in TIMES, pairs)
    numbers = [number for number, _ in clear if number is not None]
    days = len(numbers) if len(numbers) > 1 else 1
    date = _of_numbers(numbers, names) if len(numbers) > 1 else parts[0]
    times = [number for number in whole[days:] if number is not None]
    if times and len(times) == len(parts) - days:
        times += ["0"] * (len(times) == 1)
        return f"{date} {':'.join(f'{number:0>2}' for number in times)}"
    dotted = (part.replace(".", ":") if _DOTTED_TIME.fullmatch(part) else part for part in parts)
    return " ".join([date, *list(dotted)[days:]])


def _of_numbers(numbers: Sequence[str], names: Sequence[str]) -> str:
    """The text of a date from its numbers, such as year, month and day. If they are not clear, it
    has a form that `parse_dates` refuses."""
    first, *others = numbers
    if names[0] in YEARS and len(first) < 3:
        first = str(_full_year(first))
    if len(first) == 4 and names[1] in QUARTERS:
        return f"{first}Q{others[0]}"
    if len(first) == 4 and names[1] in WEEKS:
        return f"{first}-W{others[0]:0>2}"
    has_year = 4 in (len(first), len(others[-1])) or names[len(others)] in YEARS
    has_month = names[1] not in DAYS and (len(others) > 1 or names[0] not in DAYS)
    return ("-" if has_year and has_month else ", ").join([first, *others])


def _full_year(text: str) -> int:
    """A year, of which the century may be left out."""
    year = int(text)
    return year if len(text) > 2 else year + (1900 if year >= PIVOT_YEAR else 2000)


def _text(part: Any) -> str:
    return "" if part is None else str(part).strip()


def footer_rows(texts: Sequence[str]) -> int:
    """The number of texts without digits at the end of a column of dates, such as "Total"."""
    return next((row for row, text in enumerate(reversed(texts)) if re.search(r"\d", text)), 0)


def _refuse_utc(matches: Sequence[re.Match], location: Callable[[int], str], timezone: str) -> None:
    """Raises SeqzooError if a date is in UTC or has a time zone of its own."""
    for row, match in enumerate(matches):
        parts = {name for name, value in match.groupdict().items() if value is not None}
        if "zone" in parts:
            raise _not_local(match[0], "has a time zone of its own", location(row), timezone)
        if "epoch" in parts:
            raise _not_local(match[0], "is already in UTC", location(row), timezone)


def _refuse_mixture(matches: Sequence[re.Match], location: Callable, column: str) -> None:
    """Raises SeqzooError if some times have a time zone of their own and others do not."""
    if not matches or "zone" not in matches[0].re.groupindex:
        return
    times = [(row, match["zone"]) for row, match in enumerate(matches) if match["hour"]]
    zoned = next((row for row, zone in times if zone), None)
    local = next((row for row, zone in times if not zone), None)
    if zoned is None or local is None:
        return
    raise SeqzooError(
        f"{location(local)}: {column!r} has a time without a time zone, {matches[local][0]!r}, but "
        f"{matches[zoned][0]!r} in {location(zoned)} has one; write all of them with a time zone, "
        "or none.",
        location=location(local),
        field="date_column",
        got=matches[local][0],
    )


def _not_local(text: str, why: str, where: str, timezone: str) -> SeqzooError:
    return SeqzooError(
        f"{where}: {text!r} {why}, so `timezone` must be left out, got {timezone!r}.",
        location=where,
        field="timezone",
        got=timezone,
    )


def _most_regular(fitting: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The interpretations with the fewest gaps, since dates tend to be evenly spaced: "1/1/1949,
    2/1/1949, ..., 1/1/1950" are months, not days."""
    filled = {name: _filled(value) for name, value in fitting.items()}
    highest = max(filled.values())
    return {name: value for name, value in fitting.items() if filled[name] == highest}


def _filled(dates: np.ndarray) -> float:
    """The fraction of the steps from the first to the last date that have a date."""
    dates = np.unique(dates)
    frequency = Frequency.infer(dates)
    if frequency is None:
        return 1.0
    steps, on_grid = frequency.positions(dates)
    return int(on_grid.sum()) / (int(steps[-1]) + 1)


def _by_format(
    texts: Sequence[str], location: Callable[[int], str], column: str, form: str
) -> np.ndarray:
    dates = []
    for index, text in enumerate(texts):
        try:
            date = datetime.datetime.strptime(text, form)
            if date.tzinfo is not None:
                date = date.astimezone(datetime.UTC).replace(tzinfo=None)
        except (ValueError, OverflowError, re.error) as error:
            raise SeqzooError(
                f"{location(index)}: {column!r} must have the format {form!r}, got {text!r}.",
                location=location(index),
                field="date_format",
                got=text,
            ) from error
        dates.append(date)
    return _regular(dates)


def _regular(dates: Sequence[datetime.datetime]) -> np.ndarray:
    """Dates as an array, without fractions of seconds if these only disturb even spacing, as in
    the times at which a daily job ran."""
    exact = without_fractions(np.array(dates, "datetime64[us]"))
    seconds = exact.astype("datetime64[s]")
    merges = len(np.unique(seconds)) < len(np.unique(exact))
    return seconds if not merges and _on_grid(seconds) > _on_grid(exact) else exact


def _on_grid(dates: np.ndarray) -> float:
    """The fraction of dates that are a whole number of the usual steps after the first."""
    dates = np.unique(dates)
    frequency = Frequency.infer(dates)
    return 1.0 if frequency is None else float(frequency.positions(dates)[1].mean())


def _date(match: re.Match) -> datetime.datetime | None:
    """The date of a match; None if there is no such day or time."""
    parts = {name: value for name, value in match.groupdict().items() if value is not None}
    try:
        if "epoch" in parts:
            date = datetime.datetime.fromtimestamp(int(parts["epoch"]), datetime.UTC)
            fraction = _microseconds(parts.get("fraction", ""))
            return date.replace(tzinfo=None, microsecond=fraction)
        year = _full_year(parts.get("year") or parts["year2"])
        if "week" in parts:
            day = datetime.date.fromisocalendar(
                year, int(parts["week"]), int(parts.get("weekday", 1))
            )
            return datetime.datetime(day.year, day.month, day.day)
        month = int(parts.get("month") or parts.get("month2") or 1)
        if quarter := parts.get("quarter") or parts.get("quarter2"):
            month = 3 * int(quarter) - 2
        if name := parts.get("name") or parts.get("name2"):
            month = _month(name.lower())
        hour = int(parts.get("hour", 0))
        if "half" in parts:
            hour = hour % 12 + 12 * (parts["half"][0] in "Pp")
        date = datetime.datetime(
            year,
            month,
            int(parts.get("day", 1)),
            hour,
            int(parts.get("minute", 0)),
            int(parts.get("second", 0)),
            _microseconds(parts.get("fraction", "")),
        )
        zone = parts.get("zone", "Z")
        if zone[0] in "+-":
            digits = zone[1:].replace(":", "")
            offset = datetime.timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
            date -= offset if zone[0] == "+" else -offset
    except (ValueError, OverflowError):
        return None
    return date


def _microseconds(digits: str) -> int:
    """The digits after the decimal point of a number of seconds, as microseconds."""
    return int(f"{digits:0<6}"[:6])


def _month(name: str) -> int:
    """The number of a month, whose name may be cut after three letters: "jan", "sept".

    Raises:
        ValueError: there is no such month.
    """
    full = next((month for month in MONTHS if month.startswith(name)), name)
    return MONTHS.index(full) + 1
