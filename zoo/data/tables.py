"""Tables from CSV, TSV and JSON Lines files: columns by name, and errors that name the line."""

import csv
import gzip
import io
import json
import pathlib
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from seqzoo.tasks.errors import SeqzooError, nearest
from seqzoo.zoo.data.source import DELIMITERS, JSON_LINES, SUFFIXES

csv.field_size_limit(2**31 - 1)  # a field is a whole text here; the default ends at 128 KB


@dataclass(frozen=True)
class Table:
    """The rows of a file.

    Attributes:
        path: the file.
        names: its columns' names.
        rows: one mapping of column to value a row; values are text, except from JSON Lines.
        lines: the line of the file that each row starts at, from 1.
    """

    path: pathlib.Path
    names: tuple[str, ...]
    rows: list[dict[str, Any]]
    lines: list[int]

    def column(self, name: str | None, argument: str) -> list:
        """The values of a column.

        Raises:
            SeqzooError: there is no such column, or (in JSON Lines) a row lacks it.
        """
        names = ", ".join(self.names)
        if name is None:
            raise SeqzooError(f"`{argument}` must name a column of {self.path}: {names}.")
        if name not in self.names:
            raise SeqzooError(
                f"`{argument}` must name a column of {self.path} ({names}), "
                f"got {name!r}{nearest(name, self.names)}"
            )
        for row, line in zip(self.rows, self.lines, strict=True):
            if name not in row:
                raise SeqzooError(f"{self.path}, line {line}: no {name!r}, only {', '.join(row)}.")
        return [row[name] for row in self.rows]


def read_table(
    path: pathlib.Path,
    *,
    columns: Sequence[str] | None = None,
    delimiter: str | None = None,
) -> Table:
    """Reads a file; what it is follows from its name: .csv, .tsv, .jsonl, each also with .gz.

    CSV follows RFC 4180 (fields that hold the delimiter, quotes or line ends stand in double
    quotes); in TSV a quote is a character like any other. Empty lines are left out.

    Args:
        path: the file, in UTF-8.
        columns: the names of the columns where the file has no line that names them.
        delimiter: what separates fields, where it is not what the file's name says.

    Raises:
        SeqzooError: the file cannot be read, is empty, or a line is not as it should be.
    """
    text = read_text(path)
    suffix = pathlib.Path(path.name.lower().removesuffix(".gz")).suffix
    if suffix in JSON_LINES:
        rows, lines = _read_json_lines(path, text)
        names = tuple(dict.fromkeys(name for row in rows for name in row))
    else:
        separator = delimiter or DELIMITERS.get(suffix)
        if separator is None:
            raise SeqzooError(
                f"{path} must end in one of {', '.join(SUFFIXES)} (or name the `delimiter`)."
            )
        names, rows, lines = _read_delimited(path, text, separator, columns)
    if not rows:
        raise SeqzooError(f"{path} has no rows below its header ({', '.join(names)}).")
    return Table(path, names, rows, lines)


def read_text(path: pathlib.Path) -> str:
    """All of a file in UTF-8, which may be compressed (.gz).

    Raises:
        SeqzooError: it cannot be read, is empty, or is not UTF-8.
    """
    data = read_bytes(path)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        start = data.rfind(b"\n", 0, error.start) + 1
        line = data.count(b"\n", 0, error.start) + 1
        raise SeqzooError(
            f"{path}, line {line}, byte {error.start - start + 1}: {data[error.start]:#04x} is not "
            f"UTF-8; save the file as UTF-8."
        ) from error


def read_bytes(path: pathlib.Path) -> bytes:
    """All of a file, which may be compressed (.gz).

    Raises:
        SeqzooError: it cannot be read, or is empty.
    """
    try:
        data = path.read_bytes()
        if path.name.lower().endswith(".gz"):
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise SeqzooError(f"{path} cannot be read: {reason}.") from error
    if not data.strip():
        raise SeqzooError(f"{path} is empty.")
    return data


def _read_delimited(
    path: pathlib.Path, text: str, delimiter: str, columns: Sequence[str] | None
) -> tuple[tuple[str, ...], list[dict[str, Any]], list[int]]:
    records = _records(path, text, delimiter)
    names = tuple(columns) if columns else tuple(next(records)[1])
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise SeqzooError(f"{path}: two columns are named {twice!r}.")
    rows, lines = [], []
    for line, record in records:
        if len(record) != len(names):
            raise SeqzooError(
                f"{path}, line {line}: {_fields(len(record))} where {_fields(len(names))} "
                f"({', '.join(names)}) should be."
            )
        rows.append(dict(zip(names, record, strict=True)))
        lines.append(line)
    return names, rows, lines


def _records(path: pathlib.Path, text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line that it starts at."""
    quoting = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    line = 1
    try:
        reader = csv.reader(
            io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting, strict=True
        )
        for record in reader:
            if record:
                yield line, record
            line = reader.line_num + 1
    except (csv.Error, TypeError) as error:
        raise SeqzooError(f"{path}, line {line}: {error}.") from error


def _fields(number: int) -> str:
    return f"{number} field{'s' * (number != 1)}"


def _read_json_lines(path: pathlib.Path, text: str) -> tuple[list[dict[str, Any]], list[int]]:
    rows, lines = [], []
    for line, record in enumerate(text.split("\n"), 1):
        if not record.strip():
            continue
        try:
            row = json.loads(record)
        except json.JSONDecodeError as error:
            raise SeqzooError(
                f"{path}, line {line}, character {error.colno}: no JSON ({error.msg})."
            ) from error
        except (ValueError, RecursionError) as error:  # numbers of thousands of digits; deep lists
            raise SeqzooError(f"{path}, line {line}: cannot be read: {error}.") from error
        if not isinstance(row, dict):
            raise SeqzooError(f"{path}, line {line}: must be a JSON object, got {record[:40]!r}.")
        rows.append(row)
        lines.append(line)
    return rows, lines
