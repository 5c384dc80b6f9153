"""JSON Lines: one object per line; columns are the objects' keys, and the keys of objects in them
after a dot: "translation.en"."""

import codecs
import json
import pathlib
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from seqzoo.tasks.data.column_names import split_names
from seqzoo.tasks.errors import SeqzooError, some_of
from seqzoo.zoo.data.lines import split_lines
from seqzoo.zoo.data.records import (
    Chunk,
    Record,
    Records,
    Request,
    TextFile,
    choose_columns,
    undecoded,
)
from seqzoo.zoo.data.source import COVARIATES, ROLES, Source
from seqzoo.zoo.data.wide_rows import is_wide

MAX_NESTED = 100
"""Maximum number of fields of nested objects that are listed as columns, apart from those that the
source names; objects with more, such as counts of words, have no fixed fields."""

MAX_DEPTH = 8
"""Maximum number of objects within one another whose fields are columns."""


def read(path: pathlib.Path, request: Request) -> Records:
    """The objects in a file; empty lines are left out.

    Names of columns are looked for until all that are needed have been found; `names` of the result
    lacks those that only occur further on.

    Raises:
        SeqzooError: it cannot be read, is empty, or lacks a column.
    """
    file = TextFile(path, strict=request.strict)
    names: dict[str, None] = {}
    needed = {request.name(role) for role in request.roles} or {None}
    nested: set[str] = set()
    is_named = _namer(request.source)
    for number, row, error in _rows(file):
        # A malformed line is reported before a column that is missing because of it.
        if error and request.strict:
            raise SeqzooError(f"{path}, line {number} {error}.", location=f"{path}, line {number}")
        fields = flattened(row)
        if not fields.keys() <= names.keys():
            nested |= fields.keys() - row.keys()
            listed = len(nested) <= MAX_NESTED
            names |= dict.fromkeys(
                name for name in fields if listed or name in {*row, *needed} or is_named(name)
            )
            if needed <= names.keys():
                break
    columns = choose_columns(path, list(names), request)
    within = nested & set(columns.values())

    def records() -> Iterator[Record]:
        for number, row, error in _rows(file):  # again from the first line on
            if within and not error:
                row = {**dict.fromkeys(within), **flattened(row)}
            lacking = next((name for name in columns.values() if name not in row), None)
            if not error and lacking is not None:
                error = f"has no {lacking!r}, only {some_of(list(row))}"
            fields = {} if error else {role: row[name] for role, name in columns.items()}
            yield Record(number, fields, error)

    def chunks() -> Iterator[Chunk | None]:
        return _chunks(file, columns, nested=bool(within))

    return Records(str(path), records(), columns=columns, names=tuple(names), chunks=chunks)


def _namer(source: Source) -> Callable[[str], bool]:
    """A function that says whether a source names a column, or has a pattern that matches it."""
    fields = (getattr(source, name) for name in (*ROLES, "sentence_column", "date_column"))
    texts = [text for text in fields if text is not None]
    lists = (getattr(source, name) or () for name in COVARIATES)
    named = {*texts, *source.further_inputs}.union(*map(split_names, texts), *lists)
    pattern = source.input if is_wide(source) else None
    return lambda name: name in named or (pattern is not None and fnmatchcase(name, pattern))


def flattened(row: dict[str, Any], depth: int = MAX_DEPTH) -> dict[str, Any]:
    """An object with the fields of nested objects in place of these: "translation.en". A field of
    the object itself that has this name comes before them."""
    if not depth or not any(isinstance(value, dict) for value in row.values()):
        return row
    result: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict) and value:
            fields = {f"{name}.{key}": item for key, item in flattened(value, depth - 1).items()}
            result |= {key: item for key, item in fields.items() if key not in row}
        else:
            result[name] = value
    return result


def _chunks(file: TextFile, columns: Mapping[str, str], *, nested: bool) -> Iterator[Chunk | None]:
    """The objects, many at once; see `Records.chunks`.

    Args:
        file: the file.
        columns: the column of each role.
        nested: whether a column is a field of nested objects.
    """
    count = 0
    for block in _complete_lines(file):
        try:
            lines = split_lines(block.decode("utf-8"))
            # Blank lines are not parsed, but count in the line numbers.
            numbers = [count + at for at, line in enumerate(lines, 1) if line and line.strip()]
            rows = [_parse(lines[number - count - 1]) for number in numbers]
            if nested:
                rows = list(map(flattened, rows))
            fields = {role: [row[name] for row in rows] for role, name in columns.items()}
        except UnicodeDecodeError:
            file.text()  # raises an error that has the location
            raise
        except (ValueError, RecursionError, TypeError, KeyError):  # `_rows` says what is wrong
            yield None
            return
        count += len(lines)
        if numbers:
            yield Chunk(numbers, fields)


def _complete_lines(file: TextFile) -> Iterator[bytes]:
    """The contents of a file, in blocks that end with a line."""
    rest = b""
    for number, block in enumerate(file.blocks()):
        if not number:
            block = block.removeprefix(codecs.BOM_UTF8)
        lines, newline, unfinished = block.rpartition(b"\n")
        if newline:
            yield rest + lines + newline
            rest = unfinished
        else:
            rest += block
    if rest:
        yield rest


_scan = json.JSONDecoder().scan_once  # pyright: ignore[reportAttributeAccessIssue]


def _parse(line: str) -> dict[str, Any]:
    """`json.loads` for objects, in two thirds of the time.

    Raises:
        TypeError: the line is not an object.
        ValueError: it is not JSON.
    """
    try:
        row, end = _scan(line, 0)
    except StopIteration:
        row, end = None, 0
    if end != len(line):  # spaces around the object, or an error
        row = json.loads(line)
    if not isinstance(row, dict):
        raise TypeError(line[:40])
    return row


def _rows(file: TextFile) -> Iterator[tuple[int, dict[str, Any], str]]:
    """The number, the object and the error of each line that is not empty."""
    for number, line in enumerate(file.newline_delimited(), 1):
        if not line.strip():
            continue
        row: Any = {}
        error = "" if file.strict else undecoded(line)
        if not error:
            try:
                row = json.loads(line)
            except json.JSONDecodeError as problem:
                error = f"is not JSON ({problem.msg}, character {problem.colno})"
            except (ValueError, RecursionError) as problem:  # huge numbers, deeply nested lists
                error = f"cannot be read ({problem})"
            else:
                if not isinstance(row, dict):
                    error, row = f"must be a JSON object, got {line[:40]!r}", {}
        yield number, row, error
