"""The inputs of `seqzoo predict`: lines, or a column of a file, one after another.

Unlike in training, an invalid line does not stop the command: it is reported, and the others are
predicted.
"""

import csv
import io
import json
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from seqzoo.tasks.errors import SeqzooError, nearest
from seqzoo.zoo.data.lines import BYTE_ORDER_MARK, split_lines, without_mark
from seqzoo.zoo.data.sound import resampled
from seqzoo.zoo.data.source import (
    CONLL,
    DELIMITERS,
    JSON_LINES,
    PARQUET,
    PLAIN_TEXT,
    Source,
    suffix_of,
)


@dataclass(frozen=True)
class Asked:
    """One raw input.

    Attributes:
        number: of the line that it begins at, or of the example among arrays, from 1.
        field: text, or what JSON holds.
        wrong: what is wrong with the line, such as "is empty"; None if nothing is.
        raw: whether the field is a raw input already.
        unit: the unit of the number.
    """

    number: int
    field: Any
    wrong: str | None = None
    raw: bool = False
    unit: Literal["Line", "Row"] = "Line"


@dataclass(frozen=True)
class Arguments:
    """The texts of a command line."""

    texts: tuple[str, ...]


@dataclass(frozen=True)
class File:
    """A file whose lines, or one of whose columns, are inputs.

    Attributes:
        path: of the file.
        column: the column of inputs; None for the one used in training.
        columns: names of its columns where it has no line that names them; None for those of the
            training.
        delimiter: what separates its fields, where its name does not say it.
        resample: whether to convert audio to the sample rate of the model.
    """

    path: pathlib.Path
    column: str | None = None
    columns: Sequence[str] | None = None
    delimiter: str | None = None
    resample: bool = False


def of_lines(lines: Iterable[bytes]) -> Iterator[Asked]:
    """One input a line, in UTF-8, of standard input or a file; a byte order mark in front is left
    out."""
    for number, line in enumerate(without_mark(iter(lines)), 1):
        yield _of_line(number, line.removesuffix(b"\n").removesuffix(b"\r"))


def of_arguments(texts: Sequence[str]) -> Iterator[Asked]:
    """The texts of a command line, an input each."""
    for number, text in enumerate(texts, 1):
        text = text.removeprefix(BYTE_ORDER_MARK)  # "$(cat FILE)" hands it on
        yield _of_line(number, text.encode("utf-8", "surrogateescape"))


def _of_line(number: int, line: bytes) -> Asked:
    try:
        return Asked(number, line.decode("utf-8"))
    except UnicodeDecodeError as error:
        byte = f"byte {error.start + 1} is {line[error.start]:#04x}"
        return Asked(number, None, f"is not UTF-8: {byte}")


def of_file(file: File, source: dict[str, Any]) -> Iterator[Asked]:
    """The inputs of a file, in order; its format follows from its name, as in training.

    Args:
        file: the file.
        source: that of the run, for what `file` does not say.

    Raises:
        SeqzooError: it cannot be read, or the column does not exist.
    """
    from seqzoo.zoo.data.tables import read_bytes, unreadable

    suffix = suffix_of(str(file.path))
    column = file.column or source.get("input")
    if suffix in CONLL:
        from seqzoo.zoo.data.conll import read_conll

        # The column of words also serves as that of tags, which need not exist.
        found = read_conll(file.path, column, column)
        pairs = zip(found.lines, found.sentences, strict=True)
        return (Asked(number, sentence, raw=True) for number, sentence in pairs)
    in_time = source.get("kind") == "series" and source.get("target_kind") == "next"
    in_one = in_time and source.get("whole")
    if suffix == PARQUET:
        asked = _of_parquet(file.path, column)
        return _one_series(asked) if in_one else asked
    separator = file.delimiter or DELIMITERS.get(suffix)
    if separator is None and suffix not in (PLAIN_TEXT, *JSON_LINES):
        raise unreadable(file.path)
    data = read_bytes(file.path)
    if suffix == PLAIN_TEXT and file.delimiter is None:
        return of_lines(io.BytesIO(data))
    # Bytes that are not UTF-8 become surrogates, which are reported with their location.
    text = data.decode("utf-8-sig", "surrogateescape")
    if suffix in JSON_LINES:
        asked = _of_json_lines(file.path, text, column)
    else:
        columns = file.columns or source.get("columns")
        asked = _of_table(file.path, text, str(separator), columns, column)
    return _one_series(asked) if in_one else asked


def _one_series(asked: Iterator[Asked]) -> Iterator[Asked]:
    """The rows of a table as one series where each holds one step, as training reads them."""
    from seqzoo.zoo.data import fields

    rows, steps = list(asked), []
    for row in rows:
        try:
            series = None if row.wrong else fields.series(row.field)
        except SeqzooError:  # which is reported when the row is predicted
            series = None
        if series is None or len(series) > 1 or len(rows) == 1:
            return iter(rows)
        steps += series.tolist()
    return iter([replace(rows[0], field=steps)])


def of_arrays(file: File, run: Any) -> Iterator[Asked]:
    """The inputs in an .npz file, in its order.

    Args:
        file: the file.
        run: the `seqzoo.tasks.runs.run.Run`.

    Raises:
        SeqzooError: it cannot be read, the array does not exist, or has the wrong dtype or shape.
    """
    from seqzoo.zoo.data.npz_examples import read_inputs

    stored = Source.of_run(run, str(file.path))
    rate = run.template.sample_rate if stored.kind == "audio" else None
    source = replace(
        stored,
        input=file.column or stored.input,
        sample_rate=rate,
        resample=stored.resample or file.resample,
    )
    width = int(run.task.signature[0].shape[-1] or 1) if source.kind == "series" else 1
    found, _ = read_inputs(file.path, source, width=width)
    return (Asked(number, value, raw=True, unit="Row") for number, value in enumerate(found, 1))


def reader(run: Any, folder: pathlib.Path, *, resample: bool = False) -> Callable[[Any], Any]:
    """The function that makes a raw input of the run's kind from a field.

    Args:
        run: the `seqzoo.tasks.runs.run.Run`.
        folder: paths in a field are relative to it.
        resample: whether sound of other sample rates is brought to the model's, as it also is where
            that was chosen in training.
    """
    resample = resample or (run.source or {}).get("resample", False)
    from seqzoo.zoo.data import fields

    own = fields.reader(run.template.input, folder)

    def read(field: Any) -> Any:
        if (
            isinstance(field, list)
            and run.template.input == "words"
            and run.template.target == "tags"
        ):
            return fields.words(field)
        value = own(field)
        if run.template.input != "audio":
            return value
        samples, rate = value
        if rate != run.template.sample_rate and not resample:
            raise SeqzooError(
                f"has {rate:,} samples a second, the model was trained with "
                f"{run.template.sample_rate:,}; --resample brings it to these"
            )
        return resampled(samples, rate, run.template.sample_rate)

    return read


def _of_parquet(path: pathlib.Path, column: str | None) -> Iterator[Asked]:
    from seqzoo.zoo.data.parquet import ParquetTable

    table = ParquetTable(path)
    name = _column(path, column, table.names)
    for number, row in enumerate(table.rows([name]), 1):
        yield Asked(number, row[name], unit="Row")


def _of_json_lines(path: pathlib.Path, text: str, column: str | None) -> Iterator[Asked]:
    rows = []
    for number, line in enumerate(split_lines(text), 1):
        if not line.strip():
            continue
        row, wrong = None, _undecoded(line)
        if not wrong:
            try:
                row = json.loads(line)
                wrong = None if isinstance(row, dict) else "must be a JSON object"
            except (ValueError, RecursionError) as error:
                wrong = f"is no JSON ({getattr(error, 'msg', error)})"
        rows.append((number, row, wrong))
    names = dict.fromkeys(name for _, row, wrong in rows if not wrong for name in row or ())
    column = _column(path, column, list(names))
    for number, row, wrong in rows:
        if not wrong and column not in row:
            wrong = f"has no {column!r}, only {', '.join(row)}"
        yield Asked(number, None if wrong else row[column], wrong)


def _of_table(
    path: pathlib.Path,
    text: str,
    separator: str,
    columns: Sequence[str] | None,
    column: str | None,
) -> Iterator[Asked]:
    from seqzoo.zoo.data.tables import check_names, column_names

    records = _records(text, separator)
    if columns:
        names: Sequence[str] = columns
    else:
        number, head, wrong = next(records, (1, None, "names no columns"))
        wrong = wrong or _undecoded("".join(head or ()))
        if wrong:  # without names no line can be read
            raise SeqzooError(f"{path}, line {number} {wrong}.")
        names = column_names(head or [])
    check_names(path, names, separator, typed=bool(columns))
    place = names.index(_column(path, column, names))
    for number, record, wrong in records:
        if record is None:
            yield Asked(number, None, wrong)
        elif len(record) != len(names):
            fields = f"{len(record)} field{'s' * (len(record) != 1)}"
            expected = f"{len(names)} ({', '.join(names)}) should be"
            yield Asked(number, None, f"has {fields} where {expected}")
        else:
            yield Asked(number, record[place], _undecoded(record[place]))


def _records(text: str, separator: str) -> Iterator[tuple[int, list[str] | None, str]]:
    """Each record with the line at which it begins, or with its error."""
    from seqzoo.zoo.data.tables import quoting

    rows = csv.reader(io.StringIO(text, newline=""), **quoting(text, separator))
    while True:
        number = rows.line_num + 1
        try:
            record = next(rows)
        except StopIteration:
            return
        except csv.Error as error:  # the reader continues with the next line
            yield number, None, f"is not a record ({error})"
            continue
        if record:
            yield number, record, ""


def _column(path: pathlib.Path, column: str | None, names: Sequence[str]) -> str:
    """The column of the inputs.

    Raises:
        SeqzooError: there is none of that name, or no name and several columns.
    """
    if column is None and len(names) == 1:
        return names[0]
    if column is None or column not in names:
        came = f", got {column!r}{nearest(column, names)}" if column else "."
        raise SeqzooError(f"--input must name a column of {path} ({', '.join(names)}){came}")
    return column


def _undecoded(text: str) -> str | None:
    """What is wrong with a text that holds half characters."""
    half = next((own for own in text if "\udc80" <= own <= "\udcff"), None)
    return None if half is None else f"is not UTF-8: it holds {ord(half) - 0xDC00:#04x}"
