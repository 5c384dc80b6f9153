"""Reads a table with a date column as the histories of its series, and splits it by time."""

import math
import pathlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from seqzoo.tasks.data.column_names import join_names, split_names
from seqzoo.tasks.data.examples import Examples, Splits
from seqzoo.tasks.data.frequency import Frequency, shown_dates
from seqzoo.tasks.data.history import History
from seqzoo.tasks.errors import SeqzooError, nearest, some_of
from seqzoo.tasks.preprocessing.static_numbers import MISSING
from seqzoo.tasks.wording import agreed
from seqzoo.zoo.data import formats
from seqzoo.zoo.data.date_parsing import dates_and_order, joined_dates, parse_dates
from seqzoo.zoo.data.records import Records, Request
from seqzoo.zoo.data.remote import local
from seqzoo.zoo.data.source import COVARIATES, Source
from seqzoo.zoo.data.time_zones import may_be_set_back, to_utc

MISSING_VALUES = (*MISSING, "nat")
"""Texts that stand for a missing value, in upper or lower case."""

_THOUSANDS_POINTS = re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+")
"""Whole numbers whose thousands are separated by points."""

_DECIMAL_COMMA = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+)?,\d+([Ee][+-]?\d+)?")
"""Numbers with a decimal comma, and possibly points between thousands."""

_THOUSANDS_COMMAS = re.compile(r"[+-]?\d{1,3}((,\d{3})+\.\d*|(,\d{3}){2,})")
"""Numbers whose commas can only separate thousands: they have a decimal point or several commas."""

_THREE_DECIMALS = re.compile(r"[+-]?[1-9]\d{0,2}[,.]\d{3}")
"""Numbers with a comma or a point that may separate thousands or decimals."""

_HUNDREDS = re.compile(r"[+-]?[1-9]\d\d")
"""Whole numbers below a thousand that have hundreds."""

_BELOW_THOUSAND = re.compile(r"[+-]?\d{1,3}")
"""Whole numbers below a thousand."""

_WRITTEN_NUMBER = re.compile(r"\s*\W?\s*[+-]?[\d.,' ]*\d\s*[^\W\d]{0,4}\W?\s*|\s*-\s*")
"""Numbers with a currency sign, thousands separators, a percent sign or a unit."""

_DECIMAL_POINT = re.compile(r"[+-]?(\d*\.(\d{1,2}|\d{4,})|0?\.\d+)")
"""Numbers with a decimal point, which does not separate thousands."""

TRUTH_VALUES = {"true": 1.0, "false": 0.0}

NAMED_GAPS = 3
"""Maximum number of gaps that a note lists."""

MOSTLY = 0.9
"""Fraction of numbers from which the other fields of a column are mistakes."""

MAX_MISSING = 50_000_000
"""Maximum number of missing steps of a series; each takes memory."""


class _AllColumns(Request):
    """A request for columns by name; each name is its own role."""

    def name(self, role: str) -> str | None:
        return role


@dataclass(frozen=True)
class Table:
    """The rows of a file with dates, in the order of the file.

    Attributes:
        records: the records of the file, for messages.
        numbers: the number of each row.
        columns: the fields of each column that was read, by name.
    """

    records: Records
    numbers: Sequence[int]
    columns: dict[str, list[Any]]

    @property
    def name(self) -> str:
        """The name of the file, or the pattern of several."""
        return self.records.name

    def location(self, row: int) -> str:
        """The location of a row: "sales.csv, line 18"."""
        return self.records.location(self.numbers[row])

    def line(self, row: int) -> str:
        """The location of a row within the file: "line 18"."""
        return f"{self.records.unit} {self.records.line(self.numbers[row])}"


def open_histories(source: Source) -> tuple[Splits, Source]:
    """Reads all series of a source, and splits them by time.

    The example of a series in a split also includes all earlier steps as context.

    Returns: the splits, and the source with inferred fields filled in and an absolute path.

    Raises:
        SeqzooError: the file cannot be read, a column is missing, a field is malformed, a date
            occurs twice, or a split would be empty.
    """
    source = source.absolute()
    formats.check_delimited(source.data, source)
    histories, source, notes = read_histories(source)
    splits, more = split_by_time(histories, source)
    name = pathlib.Path(source.data).name
    series = f"{len(histories):,} series, " if len(histories) > 1 else ""
    targets = len(split_names(str(source.target)))
    described = (
        f"{name}: {series}{targets} target{'s' * (targets != 1)}, one step per "
        f"{source.frequency}: {dates_of(splits)}."
    )
    return replace(splits, name=name, description=" ".join([described, *notes, *more])), source


def dates_of(splits: Splits) -> str:
    """The first and last dates of each split, as text."""
    ranges = []
    for split, what in (
        ("train", "for training"),
        ("validation", "for validation"),
        ("test", "for testing"),
    ):
        examples = getattr(splits, split)
        if examples is not None:
            ends = [
                item.dates[item.since : item.end]
                for item in examples.inputs
                if item.end > item.since
            ]
            first, last = min(end[0] for end in ends), max(end[-1] for end in ends)
            shown = shown_dates(np.array([first, last]))
            ranges.append(f"{shown[0]} to {shown[1]} {what}")
    return ", ".join(ranges)


def read_histories(source: Source) -> tuple[list[History], Source, list[str]]:
    """The series of a file, sorted by name, with their steps sorted by date.

    Returns: the series, the source with the names of dates and of all targets in the form of
        `join_names`, the frequency, the order of days and months, and the form of numbers; and
        notes on missing steps and values.

    Raises:
        SeqzooError: see `open_histories`.
    """
    path = pathlib.Path(local(source.data))
    names, table = _read(path, source)
    inferred = source.decimal_comma is None
    source = _with_decimal_comma(source, table)
    chosen, left_out = _targets(names, table, source)
    past, known = (
        _numbers(table, getattr(source, name) or (), source)
        for name in ("past_columns", "known_columns")
    )
    static = {
        name: _has_decimal_commas(table.columns[name], source)
        for name in source.static_columns or ()
    }
    values = _numbers(table, chosen, source)
    parts = split_names(str(source.date_column), names)
    texts = joined_dates({name: table.columns[name] for name in parts}, source.date_format)
    dates, order = dates_and_order(
        texts, table.location, ", ".join(parts), source.date_format, source.timezone
    )
    owners = (
        np.array([_text(item).strip() for item in table.columns[source.series_column]])
        if source.series_column
        else np.full(len(dates), "")
    )
    if source.series_column and (owners == "").any():
        location = table.location(int((owners == "").argmax()))
        raise SeqzooError(
            f"{location}: {source.series_column!r} is empty; name the series or delete the row.",
            location=location,
            field="series_column",
        )
    written = dates  # local times if there is a time zone
    if source.timezone is not None:
        dates = to_utc(dates, owners.tolist(), source.timezone, table.location)
    rows = {name: np.flatnonzero(owners == name) for name in dict.fromkeys(owners.tolist())}
    for name, indices in rows.items():
        indices = indices[np.argsort(dates[indices], kind="stable")]
        twice = np.flatnonzero(np.diff(dates[indices]) == np.timedelta64(0, "s"))
        if len(twice):
            first, second = (int(row) for row in indices[twice[0] : twice[0] + 2])
            whose = f" of series {name!r}" if source.series_column else ""
            advice = "" if source.series_column else ", or name the series with --series-column"
            if not source.series_column and len(parts) == 1:
                advice += f" or a column of times of day with --date-column {parts[0]},TIME"
            if source.timezone is None and may_be_set_back(dates[first]):
                advice += "; if clocks went back, name the time zone with --timezone"
            raise SeqzooError(
                f"{table.location(second)}: the date {shown_dates(written[[first]])[0]}{whose} is "
                f"already in {table.line(first)}; keep one of them{advice}.",
                location=table.location(second),
                field="date_column",
            )
        rows[name] = indices
    frequency = _frequency(dates, rows, source, table)
    histories, gaps = [], []
    for name, indices in sorted(rows.items())[: source.limit]:
        steps, on_grid = frequency.positions(dates[indices])
        if not on_grid.all():
            bad = int(np.argmin(on_grid))
            raise _off_grid(written[indices], bad, table.location(indices[bad]), frequency, source)
        for step in np.flatnonzero(np.diff(steps) > 1):
            size = int(steps[step + 1] - steps[step] - 1)
            before = shown_dates(written[indices[[step]]])[0]
            gaps.append(f"{size:,} after {before} ({table.line(indices[step])})")
        length = int(steps[-1]) + 1
        if length - len(indices) > MAX_MISSING:
            first, last = shown_dates(written[indices[[0, -1]]])
            raise SeqzooError(
                f"{table.name} has {len(indices):,} rows from {first} to {last}, which are "
                f"{length:,} steps at one per {frequency}; fix the dates, or set another "
                "--frequency.",
                field="frequency",
            )

        def spread(
            columns: np.ndarray, at: Any = indices, steps: Any = steps, length: int = length
        ):
            grid = np.full((length, columns.shape[1]), np.nan)
            grid[steps] = columns[at]
            return grid

        histories.append(
            History(
                frequency.at(dates[indices], np.arange(length)),
                spread(values),
                spread(past),
                spread(known),
                tuple(
                    _static(table, column, indices, decimal_comma)
                    for column, decimal_comma in static.items()
                ),
                name,
                frequency=frequency,
            )
        )
    notes = left_out
    if inferred and source.decimal_comma is not False and table.records.delimiter:
        covariates = (name for option in COVARIATES for name in getattr(source, option) or ())
        read = {name: table.columns[name] for name in (*chosen, *covariates)}
        notes += _three_decimals(read, bool(source.decimal_comma))
    if gaps:
        more = f" and {len(gaps) - NAMED_GAPS:,} more" if len(gaps) > NAMED_GAPS else ""
        notes.append(
            f"Missing steps are read as missing values: {', '.join(gaps[:NAMED_GAPS])}{more}."
        )
    missing = sum(int((~np.isfinite(item.values[: item.end])).sum()) for item in histories)
    if missing:
        total = sum(item.values[: item.end].size for item in histories)
        notes.append(f"{missing:,} of {total:,} values {agreed(missing, 'is', 'are')} missing.")
    notes += _missing_covariates(histories, source)
    named = {"date_column": join_names(parts), "target": join_names(chosen)}
    form = source.date_format or order
    source = replace(source, **named, frequency=str(frequency), date_format=form)
    return histories, source, notes


def _missing_covariates(histories: Sequence[History], source: Source) -> list[str]:
    """A note on missing values of covariates, if there are any; past ones end with the targets."""
    counts = []
    for role in ("past", "known"):
        for column, name in enumerate(getattr(source, f"{role}_columns") or ()):
            series = [
                getattr(item, role)[: item.end if role == "past" else len(item), column]
                for item in histories
            ]
            values = np.concatenate(series)
            if missing := int(np.isnan(values).sum()):
                counts.append(f"{missing:,} of {len(values):,} of {name}")
    if not counts:
        return []
    return [f"Missing values of covariates are read as the mean in training: {', '.join(counts)}."]


def split_by_time(histories: Sequence[History], source: Source) -> tuple[Splits, list[str]]:
    """Splits all series at the same dates.

    Returns: the splits, and notes on series that were left out.

    Raises:
        SeqzooError: a split would have no steps.
    """
    frequency = histories[0].frequency
    assert frequency is not None
    first = min(history.dates[0] for history in histories)
    last = max(history.dates[max(history.end - 1, 0)] for history in histories)
    base = next(history for history in histories if history.dates[0] == first)
    steps = int(frequency.positions(np.concatenate([base.dates[:1], [last]]))[0][-1]) + 1
    grid = frequency.at(base.dates, np.arange(steps + 1))
    starts = _starts(grid, source)
    parts: dict[str, list[History]] = {"train": [], "validation": [], "test": []}
    left_out = 0
    trained = [int((history.dates < starts["validation"]).sum()) for history in histories]
    for history, count in zip(histories, trained, strict=True):
        if not np.isfinite(history.values[:count]).any():
            left_out += 1
            continue
        parts["train"].append(history.cut(count))
        for name, begin, stop in (("validation", "validation", "test"), ("test", "test", "end")):
            since, until = (int((history.dates < starts[edge]).sum()) for edge in (begin, stop))
            if np.isfinite(history.values[since:until]).any():
                parts[name].append(history.cut(until, since))
    if not parts["train"]:
        raise SeqzooError(
            f"{source.data} has no numeric values before "
            f"{shown_dates(starts['validation'][None])[0]} to train on.",
            field="split_at",
        )
    for name in ("validation", "test"):
        follows = {"validation": "test", "test": "end"}[name]
        if starts[name] < starts[follows] and not parts[name]:
            raise SeqzooError(f"{source.data} has no numeric values for {name}.", field="split_at")
    notes = []
    if left_out:
        verbs = "begins after the training steps was"
        if left_out > 1:
            verbs = "begin after the training steps were"
        notes.append(f"{left_out:,} series that {verbs} left out.")
    examples: Any = {name: Examples(part) for name, part in parts.items() if part}
    return Splits(**examples), notes


def _starts(grid: np.ndarray, source: Source) -> dict[str, Any]:
    """The first dates of the validation and test splits, and the date after the last step.

    Args:
        grid: the date of each step, followed by the date after the last one.
        source: says where to split, by dates, fractions or numbers of steps.
    """
    steps = len(grid) - 1
    held = {}
    for name in ("validation", "test"):
        size = getattr(source, name)
        if isinstance(size, str):
            raise SeqzooError(
                f"For a table with dates, `{name}` must be a fraction or a number of steps, got "
                f"{size!r}.",
                field=name,
            )
        held[name] = int(size) if size >= 1 else max(round(size * steps), int(size > 0))
    stop = steps
    if source.split_at:
        texts = list(source.split_at)
        place = (lambda _: "`split_at`"), "split_at"
        try:
            dates = parse_dates(texts, *place, source.date_format, source.timezone)
        except SeqzooError:  # they need not have the format of the table
            dates = parse_dates(texts, *place, timezone=source.timezone)
        if source.timezone is not None:
            dates = to_utc(dates, texts, source.timezone, lambda _: "`split_at`")
        if len(dates) > 3 or (np.diff(dates) <= np.timedelta64(0, "s")).any():
            raise SeqzooError(
                field="split_at",
                expected="one date (test), two (validation, test) or three (and the end of the "
                "test split), in order",
                got=",".join(texts),
            )
        indices = [int((grid[:-1] < date).sum()) for date in dates]
        for number, (index, text) in enumerate(zip(indices, texts, strict=True)):
            # The third date is the end of the test split, which may be that of the table.
            if not 0 < index < steps + (number == 2):
                inside = " to ".join(shown_dates(grid[[0, -2]]))
                expected = f"dates within those of the table, {inside}"
                raise SeqzooError(field="split_at", expected=expected, got=text)
        if len(set(indices)) < len(indices):
            raise SeqzooError(
                field="split_at",
                expected="dates that are at least one step of the table apart",
                got=",".join(texts),
            )
        stop = indices[2] if len(indices) > 2 else steps
        test = indices[1] if len(indices) > 1 else indices[0]
        validation = indices[0] if len(indices) > 1 else test - min(held["validation"], test)
    else:
        test = stop - held["test"]
        validation = test - held["validation"]
    if validation < 1:
        raise SeqzooError(
            f"`validation` and `test` must leave some of the {steps:,} steps to train on, got "
            f"{held['validation']:,} and {held['test']:,}.",
            field="validation",
        )
    return {"validation": grid[validation], "test": grid[test], "end": grid[stop]}


def _read(path: pathlib.Path, source: Source) -> tuple[list[str], Table]:
    """The names of all columns of a file, and a table of the columns that are needed."""
    names = list(formats.read(path, _AllColumns(source, ())).names)
    if not names:
        raise SeqzooError(
            f"{path} must be a table with a date column: .csv, .tsv, .jsonl or .parquet.",
            field="data",
        )
    if source.date_column is None:
        raise SeqzooError(
            f"`date_column` must name a column of {path}: {some_of(names)}.", field="date_column"
        )
    roles = {"date_column": split_names(source.date_column, names)}
    roles["series_column"] = [source.series_column] if source.series_column else []
    roles |= {name: list(getattr(source, name) or ()) for name in COVARIATES}
    roles["target"] = split_names(source.target, names) if source.target else []
    for field, wanted in roles.items():
        for name in wanted:
            if name not in names:
                raise SeqzooError(
                    f"`{field}` must name a column of {path} ({some_of(names)}), got {name!r}"
                    f"{nearest(name, names)}",
                    field=field,
                    got=name,
                )
    used = [name for wanted in roles.values() for name in wanted]
    if len(set(used)) < len(used):
        twice = next(name for name in used if used.count(name) > 1)
        raise SeqzooError(
            f"Each column can have only one role, but {twice!r} has two.", field="target"
        )
    needed = tuple(used if source.target else names)
    records = formats.read(path, _AllColumns(source, needed))
    numbers: list[int] = []
    columns: dict[str, list[Any]] = {name: [] for name in needed}
    for record in records.records:
        if record.error:
            where = records.location(record.number)
            raise SeqzooError(f"{where} {record.error}.", location=where)
        if not any(_text(field).strip() for field in record.fields.values()):
            continue
        numbers.append(record.number)
        for name, values in columns.items():
            values.append(record.fields[name])
    if not numbers:
        raise SeqzooError(f"{path} has no rows.")
    return names, Table(records, numbers, columns)


def _targets(names: Sequence[str], table: Table, source: Source) -> tuple[list[str], list[str]]:
    """The columns to forecast, the named ones or all numeric columns without another role; and a
    note on columns that have numbers with other characters, such as "$98.47", if there are any."""
    if source.target:
        return split_names(source.target, names), []
    taken = {*split_names(str(source.date_column), names), source.series_column}
    taken |= {name for option in COVARIATES for name in getattr(source, option) or ()}
    results, written = [], []
    for name in names:
        if name not in taken:
            try:
                numbers = _numbers(table, [name], source)
            except SeqzooError as error:
                if _nearly_all_numbers(table, name, bool(source.decimal_comma)):
                    raise SeqzooError(
                        f"{str(error)[:-1]}; correct it, or name the columns to forecast with "
                        "`target`.",
                        location=error.location,
                        field="target",
                        got=error.got,
                    ) from error
                fields = [field for field in map(_text, table.columns[name]) if field.strip()]
                if fields and all(map(_WRITTEN_NUMBER.fullmatch, fields)):
                    written.append(f"{name} ({error.got!r})")
                continue
            if np.isfinite(numbers).any():
                results.append(name)
    shown = ", ".join(written[:NAMED_GAPS]) + ", ..." * (len(written) > NAMED_GAPS)
    if not results:
        advice = "name the column to forecast with `target`"
        if written:
            verb = agreed(len(written), "has", "have")
            advice = f"{shown} {verb} numbers that are not written as 1234.5; correct these"
        raise SeqzooError(
            f"No numeric column of {table.name} is left to forecast ({some_of(names)}); {advice}.",
            field="target",
        )
    if not written:
        return results, []
    return results, [f"Not forecast, because their numbers are not written as 1234.5: {shown}."]


def _with_decimal_comma(source: Source, table: Table) -> Source:
    """The source, which says whether numbers have a decimal comma if a number tells: other files
    that a model reads later may have none that does."""
    if source.decimal_comma is not None or table.records.delimiter != ";":
        return source
    dates = {*split_names(str(source.date_column), list(table.columns)), source.series_column}
    columns = (fields for name, fields in table.columns.items() if name not in dates)
    texts = {_text(item).strip() for fields in columns for item in fields}
    if any(map(_THOUSANDS_COMMAS.fullmatch, texts)):
        return replace(source, decimal_comma=False)
    found = any(map(_DECIMAL_COMMA.fullmatch, texts))
    return replace(source, decimal_comma=True) if found else source


def _three_decimals(columns: dict[str, list[Any]], decimal_comma: bool) -> list[str]:
    """A note on columns with decimal commas or points that may separate thousands, if there are
    any. Points may do so beside whole numbers that have hundreds, but no thousands."""
    unclear = {}
    mark, separator = ("comma", ",") if decimal_comma else ("point", ".")
    for name, fields in columns.items():
        texts = [_text(item).strip() for item in fields]
        marked = [text for text in texts if separator in text]
        if not marked or not all(map(_THREE_DECIMALS.fullmatch, marked)):
            continue
        whole = {
            text for text in texts if separator not in text and text.lower() not in MISSING_VALUES
        }
        below = all(map(_BELOW_THOUSAND.fullmatch, whole)) and any(map(_HUNDREDS.fullmatch, whole))
        if decimal_comma or below:
            unclear[name] = marked[0]
    if not unclear:
        return []
    name, text = next(iter(unclear.items()))
    more = f" and {len(unclear) - 1:,} more" if len(unclear) > 1 else ""
    advice = "delete these" if decimal_comma else "set --decimal-comma"
    return [
        f"Numbers of {name}{more} are read with a decimal {mark}, {text!r} as "
        f"{_number(text, decimal_comma)}; if their {mark}s separate thousands, {advice}."
    ]


def _has_decimal_commas(fields: Sequence[Any], source: Source) -> bool:
    """Whether the numbers of a column have decimal commas: those of the table do, and the column
    does not have points instead: "1.25", and no comma."""
    if not source.decimal_comma:
        return False
    texts = [_text(item).strip() for item in fields]
    return any("," in text for text in texts) or not any(map(_DECIMAL_POINT.fullmatch, texts))


def _nearly_all_numbers(table: Table, name: str, decimal_comma: bool) -> bool:
    """Whether nearly all fields of a column that are not missing are numbers."""
    numbers = [_number(field, decimal_comma) for field in table.columns[name]]
    present = [number for number in numbers if number is None or not math.isnan(number)]
    return sum(number is not None for number in present) > MOSTLY * len(present)


def _frequency(
    dates: np.ndarray, rows: dict[str, np.ndarray], source: Source, table: Table
) -> Frequency:
    if source.frequency:
        return Frequency.parse(source.frequency)
    longest = max(rows.values(), key=len)
    result = Frequency.infer(dates[longest])
    if result is None:
        raise SeqzooError(
            f"{table.name} has one date per series, from which no frequency can be inferred; set "
            "it with --frequency.",
            field="frequency",
        )
    return result


def _off_grid(
    dates: np.ndarray, step: int, location: str, frequency: Frequency, source: Source
) -> SeqzooError:
    """The error for a date that is not a whole number of steps after the first one of its series.

    Args:
        dates: the dates of the series as in the table, in order.
        step: the index of the date.
        location: the location of the date.
        frequency: time between steps.
        source: says whether dates are local times.
    """
    date, first = shown_dates(dates[[step, 0]])
    field, advice = "frequency", "; fix it, or set another --frequency."
    if source.timezone is not None and frequency.positions(dates)[1][step]:
        field = "timezone"
        advice = (
            f", since clocks in {source.timezone} change in between; leave out --timezone, which "
            "is for steps that divide an hour."
        )
    return SeqzooError(
        f"{location}: the date {date} is not a whole number of steps after the first, {first}, "
        f"with one step per {frequency}{advice}",
        location=location,
        field=field,
    )


def _numbers(table: Table, names: Sequence[str], source: Source) -> np.ndarray:
    """Columns of numbers, (rows, columns), with NaN for missing values.

    Raises:
        SeqzooError: a field is not a number; the message has its location.
    """
    result = np.full((len(table.numbers), len(names)), np.nan)
    for column, name in enumerate(names):
        fields = table.columns[name]
        decimal_comma = _has_decimal_commas(fields, source)
        for row, field in enumerate(fields):
            number = _number(field, decimal_comma)
            if number is None or math.isinf(number):
                example = "1.234,5" if decimal_comma else "1234.5"
                raise SeqzooError(
                    f"{table.location(row)}: {name!r} must be a number such as {example}, got "
                    f"{field!r}.",
                    location=table.location(row),
                    got=field,
                )
            result[row, column] = number
    return result


def _number(field: Any, decimal_comma: bool) -> float | None:
    """A field as a number; NaN if it is missing, None if it is not a number.

    With a decimal comma, points before groups of three digits are thousands separators, even in a
    field without a comma.
    """
    text = _text(field).strip()
    if text.lower() in MISSING_VALUES:
        return math.nan
    if text.lower() in TRUTH_VALUES:
        return TRUTH_VALUES[text.lower()]
    if decimal_comma and (_DECIMAL_COMMA.fullmatch(text) or _THOUSANDS_POINTS.fullmatch(text)):
        text = text.replace(".", "").replace(",", ".")
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def _static(table: Table, name: str, rows: np.ndarray, decimal_comma: bool) -> Any:
    """The value of a static covariate of a series; a number with a decimal comma has a point.

    Raises:
        SeqzooError: its rows have different values.
    """
    column = table.columns[name]
    first = _text(column[rows[0]]).strip()
    for row in rows:
        if _text(column[row]).strip() != first:
            raise SeqzooError(
                f"{table.location(row)}: {name!r} must be the same in all rows of a series, got "
                f"{_text(column[row])!r} after {first!r}.",
                location=table.location(row),
                field="static_columns",
            )
    if decimal_comma and (_DECIMAL_COMMA.fullmatch(first) or _THOUSANDS_POINTS.fullmatch(first)):
        return repr(_number(first, decimal_comma))
    return first


def _text(field: Any) -> str:
    return "" if field is None else str(field)
