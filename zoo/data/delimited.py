"""Fields separated by a delimiter: CSV as in RFC 4180, TSV, and files with other delimiters."""

import csv
import itertools
import pathlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

from seqzoo.tasks.errors import SeqzooError, some_of
from seqzoo.tasks.wording import counted
from seqzoo.zoo.data.delimited_blocks import read_blocks
from seqzoo.zoo.data.formats import suffix_of
from seqzoo.zoo.data.records import (
    Chunk,
    NoRows,
    Record,
    Records,
    Request,
    TextFile,
    choose_columns,
    undecoded,
)

csv.field_size_limit(2**31 - 1)  # a field may be a long text; the default limit is 128 KB

DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}

_NUMBER = re.compile(r"[-+]?[\d.]+(?:[eE][-+]?\d+)?")

_NAMED = re.compile(r'"?sep=(?P<delimiter>[^"\r\n])"?[\r\n]*', re.IGNORECASE)


def read(path: pathlib.Path, request: Request) -> Records:
    """The records of a file after the header line; empty lines are left out.

    In CSV, fields that contain the delimiter, quotes or line breaks are in double quotes; in TSV, a
    quote is an ordinary character, unless the header has only quoted names, as R writes them. A
    first line such as "sep=;", which Excel reads, names the delimiter.

    Raises:
        SeqzooError: the file cannot be read or is empty, column names are missing or not unique, or
            it lacks a column.
    """
    source = request.source
    file = TextFile(path, strict=request.strict)
    named = _NAMED.fullmatch(next(file.lines(), ""))
    delimiter = source.delimiter or (named and named["delimiter"])
    delimiter = delimiter or DELIMITERS[suffix_of(path.name)]
    rows = _records(file, delimiter)
    if named:
        next(rows)
    if source.columns:
        rows = _after_header(path, rows, source.columns)
        rows, names = _numbered(rows, source.columns)
    else:
        names = tuple(_header(path, rows))
    check_names(path, names, delimiter, typed=source.columns is not None)
    columns = choose_columns(path, names, request)
    positions = {role: names.index(name) for role, name in columns.items()}

    def records() -> Iterator[Record]:
        empty = True
        for number, record, error in rows:
            empty = False
            if not error and len(record) != len(names):
                found = counted(len(record), "field")
                error = f"has {found}, expected {len(names)} ({some_of(names)})"
            fields = (
                {} if error else {role: record[position] for role, position in positions.items()}
            )
            if not error and not request.strict:
                error = next(filter(None, map(undecoded, fields.values())), "")
            yield Record(number, fields, error)
        if empty and request.strict:
            raise NoRows(f"{path} has no rows below its header ({some_of(names)}).")

    def chunks() -> Iterator[Chunk | None]:
        if named:
            yield None
            return
        quoting = _quoting(file, delimiter)
        header = source.columns is None
        yield from read_blocks(file, len(names), positions, quoting, header=header)

    return Records(
        str(path), records(), columns=columns, names=names, chunks=chunks, delimiter=delimiter
    )


def _header(path: pathlib.Path, records: Iterator[tuple[int, list[str], str]]) -> Sequence[str]:
    """The names in the first record, without surrounding spaces."""
    number, record, error = next(records, (1, [], "names no columns"))
    error = error or undecoded("".join(record))
    if error:  # without names the records cannot be interpreted
        raise SeqzooError(f"{path}, line {number} {error}.", location=f"{path}, line {number}")
    names = [name.strip() for name in record]
    if names.count("") < 2:  # one is usual for an index
        return names
    results = []
    for place, name in enumerate(names, 1):
        number = f"column {place}"
        while not name and number in names:
            number += "_"
        results.append(name or number)
    return results


def _after_header(
    path: pathlib.Path, records: Iterator[tuple[int, list[str], str]], names: Sequence[str]
) -> Iterator[tuple[int, list[str], str]]:
    """The records of a file whose columns were named by an option.

    Raises:
        SeqzooError: the first record names them, too.
    """
    first = next(records, None)
    found = [] if first is None else [name.strip() for name in first[1] if name.strip()]
    if first is None:
        return iter(())
    if len(found) > 1 and set(found) <= set(names):
        raise SeqzooError(
            f"{path} names columns in its first line ({some_of(found)}); leave out --columns, or "
            "delete the line.",
            field="columns",
        )
    return itertools.chain([first], records)


def _numbered(
    records: Iterator[tuple[int, list[str], str]], names: Sequence[str]
) -> tuple[Iterator[tuple[int, list[str], str]], tuple[str, ...]]:
    """Records, and the names of their columns: a name "*" stands for all columns that the first
    record has more than names, numbered from 1."""
    first = next(records, None)
    if first is None or "*" not in names:
        return itertools.chain([first] if first else [], records), tuple(names)
    at, more = list(names).index("*"), len(first[1]) - len(names) + 1
    numbers = map(str, range(1, more + 1))
    return itertools.chain([first], records), (*names[:at], *numbers, *names[at + 1 :])


def _records(file: TextFile, delimiter: str) -> Iterator[tuple[int, list[str], str]]:
    """The line on which each record begins, its fields, and what is wrong with it."""
    ended = 0
    end = _end(file)

    def parts() -> Iterator[str]:
        """The lines for the reader, counted; a carriage return in a field does not end a line."""
        nonlocal ended
        for part in file.lines():
            ended += part.endswith(end)
            yield part

    rows = csv.reader(parts(), **_quoting(file, delimiter))
    while True:
        number = ended + 1
        try:
            record = next(rows)
        except StopIteration:
            return
        except csv.Error as error:  # the reader continues with the next line
            yield number, [], _reason(str(error), file, delimiter, number)
            continue
        if record:
            yield number, record, ""


def _end(file: TextFile) -> str:
    """The line ending of a file."""
    return "\n" if file.holds(b"\n") else "\r"


def _reason(error: str, file: TextFile, delimiter: str, number: int) -> str:
    """What is wrong with a record that `csv` cannot read.

    Args:
        error: the message of `csv`.
        file: the file.
        delimiter: the delimiter of its fields.
        number: the line on which the record begins.
    """
    if "expected after" in error:
        return "has text after a closing quote; a quote within a quoted field must be doubled"
    if "unexpected end of data" not in error:
        return f"cannot be parsed ({error})"
    end = _end(file)
    record = file.text().split(end, number - 1)[-1]
    quoted = re.finditer(rf'(?:^|[{re.escape(delimiter)}\r\n]) *"(?:[^"]|"")*(?:"|\Z)', record)
    (*_, last) = quoted
    opened = number + record.count(end, 0, record.index('"', last.start()))
    where = "" if opened == number else f", opened on line {opened:,},"
    return f"has a quote{where} that is never closed"


def check_names(
    path: pathlib.Path, names: Sequence[str], delimiter: str, *, typed: bool = False
) -> None:
    """Checks that column names are unique, and that a file with one column does not use a different
    delimiter.

    Args:
        path: the path of the file, for messages.
        names: the names of the columns.
        delimiter: the delimiter that separates them.
        typed: whether the names were given as an option instead of in the file.

    Raises:
        SeqzooError: two columns have the same name, or the file uses a different delimiter.
    """
    if len(set(names)) < len(names):
        twice = next(name for name in names if list(names).count(name) > 1)
        problem = f"two columns are named {twice!r}" if twice else "two columns have no name"
        advice = (
            ""
            if typed
            else "; if its first line does not name the columns, name them with --columns"
        )
        if not typed and _NUMBER.fullmatch(twice):
            advice += ", such as label,* for a class and the steps of a series"
        raise SeqzooError(f"{path}: {problem}{advice}.")
    if len(names) == 1 and not typed:
        for other, shown in ((";", "';'"), ("\t", "tab"), ("|", "'|'"), (",", "','")):
            if other != delimiter and other in names[0]:
                raise SeqzooError(
                    f"{path} has one column, {names[0][:60]!r}; set its delimiter with "
                    f"--delimiter {shown}."
                )


def _quoting(file: TextFile, delimiter: str) -> dict[str, Any]:
    """The options of `csv.reader` for the quotes of a file.

    In TSV, a quote is an ordinary character, unless each name in the first line is in quotes, as R
    writes them. Spaces between a delimiter and a quote are ignored if the file has any and can be
    read to the end in this way.
    """
    if delimiter == "\t":
        first = next(file.lines(), "").rstrip("\r\n").split(delimiter)
        if not all(re.fullmatch('"[^"]+"', name) for name in first):
            return {"delimiter": delimiter, "quoting": csv.QUOTE_NONE, "strict": True}
    results: dict[str, Any] = {"delimiter": delimiter, "quoting": csv.QUOTE_MINIMAL, "strict": True}
    if delimiter != " " and file.holds(f'{delimiter} "'.encode()):
        skipping: dict[str, Any] = {**results, "skipinitialspace": True}
        # Not strict, because a file may be valid CSV only if these spaces are skipped.
        loose: dict[str, Any] = {"delimiter": delimiter}
        readers = [csv.reader(file.lines(), **options) for options in (loose, skipping)]
        spaced = False
        try:
            # To the end, even after a difference: the rest may be unreadable if spaces are skipped.
            for records in itertools.zip_longest(*readers, fillvalue=[]):
                spaced = spaced or _has_space(*records)
        except csv.Error:
            return results
        if spaced:
            return skipping
    return results


def _has_space(fields: Sequence[str], skipped: Sequence[str]) -> bool:
    """Whether a field of a record has a space before its opening quote.

    Args:
        fields: the fields as read without `skipinitialspace`.
        skipped: the fields as read with it.
    """
    spaced = [
        position
        for position, field in enumerate(fields)
        if field[:1] == " " and re.match(' +"', field)
    ]
    return bool(spaced) and (
        len(fields) != len(skipped)
        or any(fields[position] != skipped[position] for position in spaced)
    )
