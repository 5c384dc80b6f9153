"""The roles of the columns of a table with dates: dates, series and numbers to forecast."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from seqzoo.tasks.data.column_names import split_names
from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data.date_parsing import footer_rows, parse_dates
from seqzoo.zoo.data.source import HISTORY

DATE_NAMES = (
    *("date", "datetime", "timestamp", "time", "ds", "day", "week", "month", "quarter", "year"),
)
"""Common names of columns of dates, in which numbers may be dates."""

NUMBER = re.compile(
    r"[+-]?[$€£¥]?[+-]?(\d+|\d{1,3}(,\d{3})+|\d{1,3}(\.\d{3})+)([.,]\d+)?[%KMB]?", re.IGNORECASE
)
"""Numbers with a decimal point or comma, and possibly with thousands separators, a currency sign,
a percent sign, or K, M or B for thousands, millions or billions."""


def dated_fields(columns: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a source for forecasts from a table; empty if it has no dates and numbers.

    Args:
        columns: the `Column`s of the table by name.
        given: fields that were given.
    """
    date = given.get("date_column") or _date_column(columns, given.get("date_format"))
    others = [column for name, column in columns.items() if name != date]
    if date is None or not any(map(has_numbers, others)):
        return {}
    results = {"kind": HISTORY, "target_kind": "horizon", "date_column": date}
    taken = {date, *split_names(str(given.get("target") or ""), list(columns))}
    if date in columns and given.get("series_column") is None:
        series = _series_column(columns, date, taken)
        results |= {"series_column": series} if series else {}
    return results


def has_numbers(column: Any) -> bool:
    """Whether the values of a column are numbers, in any of the forms of `NUMBER`."""
    if column.content == "numbers":
        return True
    texts = [str(item).strip() for item in column.present]
    return bool(texts) and all(map(NUMBER.fullmatch, texts))


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
        named = (name in common and not part) or form is not None
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


def _series_column(columns: Mapping[str, Any], date: str, taken: set[str]) -> str | None:
    """The column that distinguishes rows with the same date; None if there are no such rows, or no
    column does."""
    dates = list(map(str, columns[date].values))
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
