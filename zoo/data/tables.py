"""Tables from CSV, TSV, JSON Lines and Parquet files: columns by name, errors with the line."""

import codecs
import csv
import gzip
import io
import json
import pathlib
import re
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from seqzoo.tasks.errors import SeqzooError, nearest
from seqzoo.zoo.data.lines import split_lines
from seqzoo.zoo.data.source import DELIMITERS, JSON_LINES, PARQUET, SUFFIXES, suffix_of

csv.field_size_limit(2**31 - 1)  # a field is a whole text here; the default ends at 128 KB


@dataclass(frozen=True)
class Table:
    """The rows of a file.

    Attributes:
        path: the file.
        names: its columns' names.
        rows: one mapping from column to value per row; values are text, except from JSON Lines and
            Parquet.
        lines: the line of the file that each row starts at, or the number of the row, from 1.
        unit: what `lines` counts: "line", or "row" where a file has no lines.
    """

    path: pathlib.Path
    names: tuple[str, ...]
    rows: list[dict[str, Any]]
    lines: list[int]
    unit: str = "line"

    def location(self, line: int) -> str:
        """Names one of `lines` in a message: "reviews.csv, line 18"."""
        return f"{self.path}, {self.unit} {line}"

    def column(self, name: str | None, argument: str) -> list:
        """The values of a column.

        Raises:
            SeqzooError: the column does not exist, or (in JSON Lines) a row lacks it.
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
                raise SeqzooError(f"{self.location(line)}: no {name!r}, only {', '.join(row)}.")
        return [row[name] for row in self.rows]


def read_table(
    path: pathlib.Path,
    *,
    columns: Sequence[str] | None = None,
    delimiter: str | None = None,
    only: Collection[str | None] | None = None,
) -> Table:
    """Reads a file; what it is follows from its name: .csv, .tsv, .jsonl, .parquet, each also with
    .gz.

    CSV follows RFC 4180 (fields that hold the delimiter, quotes or line ends stand in double
    quotes); in TSV a quote is a character like any other. Empty lines are left out.

    Args:
        path: the file, in UTF-8.
        columns: the names of the columns where the file has no line that names them; JSON Lines and
            Parquet name their own.
        delimiter: separator of fields, if it differs from the one for the file name.
        only: the columns that are needed, of which alone a Parquet file is read; None for all.

    Raises:
        SeqzooError: the file cannot be read, is empty, or a line is malformed.
    """
    suffix = suffix_of(path.name)
    if suffix == PARQUET:
        from seqzoo.zoo.data.parquet import ParquetTable  # loads a library

        table = ParquetTable(path)
        rows = list(table.rows(only))
        return Table(path, table.names, rows, list(range(1, len(rows) + 1)), unit="row")
    if suffix not in JSON_LINES and not delimiter and suffix not in DELIMITERS:
        raise unreadable(path)
    text = read_text(path)
    if suffix in JSON_LINES:
        rows, lines = _read_json_lines(path, text)
        names = tuple(dict.fromkeys(name for row in rows for name in row))
    else:
        separator = delimiter or DELIMITERS[suffix]
        names, rows, lines = _read_delimited(path, text, separator, columns)
    if not rows:
        raise SeqzooError(f"{path} has no rows below its header ({', '.join(names)}).")
    return Table(path, names, rows, lines)


ADVICE = {
    (".mat",): "save its arrays by `numpy.savez`, in an .npz file (`scipy.io.loadmat` reads it)",
    (".npy", ".h5", ".hdf5", ".pkl", ".pickle", ".pt"): (
        "save its arrays by `numpy.savez`, in an .npz file"
    ),
    (".xls", ".xlsx", ".ods"): "save it as .csv or .tsv",
    (".feather", ".arrow", ".orc", ".avro"): "save it as .parquet",
    (".json",): "write one object a line, in a .jsonl file",
    (".wav", ".flac", ".ogg", ".mp3"): "name a table with a column of such files",
    (".png", ".jpg", ".jpeg", ".bmp", ".gif"): "name a table with a column of such files",
    (".zip", ".tar", ".bz2", ".xz"): "unpack it",
}
"""What to do with files that are not read, by their endings."""


def unreadable(path: pathlib.Path) -> SeqzooError:
    """The error for a file whose name has no extension, or one that cannot be read."""
    suffix = suffix_of(path.name)
    advice = next((told for endings, told in ADVICE.items() if suffix in endings), None)
    advice = f"; {advice}." if advice else " (or name its delimiter by --delimiter)."
    return SeqzooError(f"{path} must end in one of {', '.join(SUFFIXES)}{advice}")


def read_text(path: pathlib.Path, *, blank: bool = False) -> str:
    """All of a file in UTF-8, which may be compressed (.gz).

    Args:
        path: the file.
        blank: whether it may be empty or only have white space.

    Raises:
        SeqzooError: it cannot be read, is empty, or is not UTF-8.
    """
    data = read_bytes(path, blank=blank)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise SeqzooError(f"{path} is UTF-16; save the file as UTF-8.") from error
        start = data.rfind(b"\n", 0, error.start) + 1
        line = data.count(b"\n", 0, error.start) + 1
        raise SeqzooError(
            f"{path}, line {line}, byte {error.start - start + 1}: {data[error.start]:#04x} is not "
            f"UTF-8; save the file as UTF-8."
        ) from error


def read_bytes(path: pathlib.Path, *, blank: bool = False) -> bytes:
    """All of a file, which may be compressed (.gz).

    Args:
        path: the file.
        blank: whether it may be empty or only have white space.

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
    if not blank and not data.strip():
        raise SeqzooError(f"{path} is empty.")
    return data


def _read_delimited(
    path: pathlib.Path, text: str, delimiter: str, columns: Sequence[str] | None
) -> tuple[tuple[str, ...], list[dict[str, Any]], list[int]]:
    records = _records(path, text, delimiter)
    names = tuple(columns) if columns else column_names(next(records)[1])
    check_names(path, names, delimiter, typed=columns is not None)
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


def column_names(record: Sequence[str]) -> tuple[str, ...]:
    """The names in the first record of a file, without surrounding spaces."""
    return tuple(name.strip() for name in record)


def check_names(
    path: pathlib.Path, names: Sequence[str], delimiter: str, *, typed: bool = False
) -> None:
    """Checks that columns have names that tell them apart, and that there are several where the
    first line holds another delimiter.

    Args:
        path: of the file, for messages.
        names: of the columns.
        delimiter: that they were parted by.
        typed: whether the names were given as an option, and are not in the file.

    Raises:
        SeqzooError: there are two of one name, or the delimiter is another one.
    """
    if len(set(names)) < len(names):
        twice = next(name for name in names if list(names).count(name) > 1)
        told = f"two columns are named {twice!r}" if twice else "two columns have no name"
        advice = (
            ""
            if typed
            else "; if its first line does not name the columns, name them with --columns"
        )
        raise SeqzooError(f"{path}: {told}{advice}.")
    if len(names) == 1 and not typed:
        for other, shown in ((";", "';'"), ("\t", "tab"), ("|", "'|'"), (",", "','")):
            if other != delimiter and other in names[0]:
                raise SeqzooError(
                    f"{path} has one column, {names[0][:60]!r}; name what separates its fields by "
                    f"--delimiter {shown}."
                )


def quoting(text: str, delimiter: str) -> dict[str, Any]:
    """How `csv.reader` handles the quotes of a file.

    In TSV a quote is a character like any other, unless each name in the first line stands in
    quotes, as R writes it. Spaces between a delimiter and a quote are left out where some stand
    there and all of the file can be read so.
    """
    first = text.partition("\n")[0].rstrip("\r").split(delimiter)
    if delimiter == "\t" and not all(re.fullmatch('"[^"]+"', name) for name in first):
        return {"delimiter": delimiter, "quoting": csv.QUOTE_NONE, "strict": True}
    found: dict[str, Any] = {"delimiter": delimiter, "quoting": csv.QUOTE_MINIMAL, "strict": True}
    if delimiter != " " and f'{delimiter} "' in text:
        skipping: dict[str, Any] = {**found, "skipinitialspace": True}
        # Not strict, so that files that are not CSV without skipping can be read.
        readers = [
            csv.reader(io.StringIO(text, newline=""), **how)
            for how in ({"delimiter": delimiter}, skipping)
        ]
        try:
            # All of it, even after the first difference: the rest may not be readable so.
            if any([_has_space(*records) for records in zip_longest(*readers, fillvalue=[])]):
                return skipping
        except csv.Error:
            pass
    return found


def _records(path: pathlib.Path, text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line that it starts at."""
    line, ended = 1, 0

    def parts() -> Iterator[str]:
        """What the reader takes for lines; a carriage return within a field ends none of ours."""
        nonlocal ended
        end = "\n" if "\n" in text else "\r"
        for part in io.StringIO(text, newline=""):
            ended += part.endswith(end)
            yield part

    try:
        for record in csv.reader(parts(), **quoting(text, delimiter)):
            if record:
                yield line, record
            line = ended + 1
    except (csv.Error, TypeError) as error:
        raise SeqzooError(f"{path}, line {line}: {error}.") from error


def _has_space(fields: Sequence[str], skipped: Sequence[str]) -> bool:
    """Whether a record holds a space in front of a quote that begins a field.

    Args:
        fields: as they are.
        skipped: without spaces in front; a field that stands whole in quotes keeps those in it.
    """
    spaced = [place for place, field in enumerate(fields) if re.match(' +"', field)]
    return bool(spaced) and (
        len(fields) != len(skipped) or any(fields[place] != skipped[place] for place in spaced)
    )


def _fields(number: int) -> str:
    return f"{number} field{'s' * (number != 1)}"


def _read_json_lines(path: pathlib.Path, text: str) -> tuple[list[dict[str, Any]], list[int]]:
    rows, lines = [], []
    for line, record in enumerate(split_lines(text), 1):
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
