"""The roles of the columns of a table with dates: dates, series and numbers to forecast."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

from seqzoo.tasks.data.column_names import join_names, split_names
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.printable import quoted
from seqzoo.zoo.data.date_parsing import footer_rows, is_strptime, joined_dates, parse_dates
from seqzoo.zoo.data.source import HISTORY

DATE_NAMES = (
    *("date", "datetime", "timestamp", "time", "ds", "day", "week", "month", "quarter", "year"),
)
"""Common names of columns of dates, in which numbers may be dates."""

PARTS = ("year", "month", "day", "hour", "minute", "second")
"""Names of columns that make up a date together."""

OF_A_KIND = 0.95
"""Minimum fraction of a column's values that must be of a kind for it to be the column's kind."""

TIME = re.compile(r"\d{1,2}(?::\d{2}(?::\d{2}(?:\.\d+)?)?|\.\d{2}\.\d{2})")
"""Times of day in a column of their own: 18:00, 18.00.00."""

NUMBER = re.compile(
    r"[+-]?[$€£¥]?[+-]?(\d+|\d{1,3}(,\d{3})+|\d{1,3}(\.\d{3})+)([.,]\d+)?\s?[%KMB]?", re.IGNORECASE
)
"""Numbers with a decimal point or comma, and possibly with thousands separators, a currency sign,
a percent sign, or K, M or B for thousands, millions or billions."""

NUMBER_LIST = re.compile(r"\d+(?:\s*[,;|]\s*\d+)+")
"""Several numbers with separators, such as labels; a number with a decimal comma also matches."""


def dated_fields(columns: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a source for forecasts from a table; empty if it has no dates and numbers.

    Args:
        columns: the `Column`s of the table by name.
        given: fields that were given.
    """
    form = given.get("date_format")
    parts = split_names(given.get("date_column") or "", list(columns))
    if parts == [""]:
        parts = _date_columns(columns, form)
    others = [column for name, column in columns.items() if name not in parts]
    if not parts or not any(map(has_numbers, others)):
        return {}
    date = given.get("date_column") or join_names(parts)
    results = {"kind": HISTORY, "target_kind": "horizon", "date_column": date}
    taken = {*parts, *split_names(str(given.get("target") or ""), list(columns))}
    if set(parts) <= set(columns) and given.get("series_column") is None:
        dates = joined_dates({name: columns[name].values for name in parts}, form)
        series = _series_column(columns, dates, taken)
        results |= {"series_column": series} if series else {}
    return results


def has_numbers(column: Any) -> bool:
    """Whether the values of a column are numbers, in any of the forms of `NUMBER`, except for a few
    mistakes; a list of numbers is no mistake but tells that the others are lists, too."""
    if column.content == "numbers":
        return True
    texts = [str(item).strip() for item in column.present]
    others = [text for text in texts if not NUMBER.fullmatch(text)]
    few = len(others) <= (1 - OF_A_KIND) * len(texts)
    return bool(texts) and few and not any(map(NUMBER_LIST.fullmatch, others))


def _date_columns(columns: Mapping[str, Any], form: str | None) -> list[str]:
    """The columns of dates: the parts of a date, a date and a time of day, or one column; empty if
    there are none."""
    lower = {name.strip().lower(): name for name in columns}
    parts = [lower[part] for part in takewhile(lower.__contains__, PARTS)]
    if len(parts) > 1:
        texts = joined_dates({name: columns[name].values for name in parts}, form)
        if begins_with_dates([text for text in texts if text], form):
            return parts
    date = _date_column(columns, form)
    if date is None:
        return []
    times = [
        name
        for name, column in columns.items()
        if column.present and all(TIME.fullmatch(str(item).strip()) for item in column.present)
    ]
    dates = joined_dates({date: columns[date].values})
    series = _series_column(columns, dates, {date, *times}) if times else None
    for time in times:
        pairs = Counter(zip(dates, columns[time].values, strict=True))
        # A column of numbers beside unique times may be the hour of the day.
        named = series and (columns[series].content != "numbers" or len(pairs) < len(dates))
        if len(pairs) > len(set(dates)) and not named:
            return [date, time]
    return [date]


def _date_column(columns: Mapping[str, Any], form: str | None) -> str | None:
    """The first column of dates, preferably one with a common name."""

    def rank(name: str) -> int:
        lower = name.strip().lower()
        return DATE_NAMES.index(lower) if lower in DATE_NAMES else len(DATE_NAMES)

    common = [name for name in columns if rank(name) < len(DATE_NAMES)]
    for name in sorted(columns, key=rank):
        column = columns[name]
        # A year next to a column of months or days is only a part of the date.
        part = name.strip().lower() == "year" and len(common) > 1
        named = (name in common and not part) or is_strptime(form)
        if column.content == "dates" or (named and begins_with_dates(column.present, form)):
            return name
    return None


def begins_with_dates(values: Any, form: str | None = None, count: int = 100) -> bool:
    """Whether the first values of a column are dates, even if the order of day and month is not
    clear, or rows such as totals follow."""
    texts = list(map(str, values[:count]))
    try:
        parse_dates(texts[: len(texts) - footer_rows(texts)], lambda _: "", "", form)
    except SeqzooError as error:
        return error.field == "date_format"
    return bool(texts)


def date_advice(columns: Mapping[str, Any]) -> str:
    """A sentence on a column of numbers that may be dates, such as years, beside other numbers;
    empty if there is none."""
    numbers = [name for name, column in columns.items() if has_numbers(column)]
    name = next((name for name in numbers if begins_with_dates(columns[name].present)), None)
    if name is None or len(numbers) < 2:
        return ""
    return f" If {name!r} has dates, name it with --date-column {quoted(join_names([name]))}."


def _series_column(columns: Mapping[str, Any], dates: Sequence[str], taken: set[str]) -> str | None:
    """The column that distinguishes rows with the same date; None if there are no such rows, or no
    column does."""
    _, most = Counter(dates).most_common(1)[0]
    if most == 1:
        return None
    candidates = [
        column
        for name, column in columns.items()
        if name not in taken
        and len(column.present) == len(dates)
        and len(set(zip(dates, map(str, column.values), strict=True))) == len(dates)
        and (
            column.content in ("names", "text")
            or column.are_few_whole_numbers
            # Most series have a row for each date. Measurements, which may also differ in all rows
            # of a date, have more distinct values.
            or (column.are_repeated_whole_numbers and column.distinct <= 2 * most)
        )
    ]
    fewest = min(candidates, key=lambda column: column.distinct, default=None)
    return None if fewest is None else fewest.name
