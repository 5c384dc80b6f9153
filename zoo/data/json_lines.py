"""JSON Lines: one object per line; columns are the objects' keys."""

import codecs
import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from seqzoo.tasks.errors import SeqzooError
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
    for number, row, error in _rows(file):
        # A malformed line is reported before a column that is missing because of it.
        if error and request.strict:
            raise SeqzooError(f"{path}, line {number} {error}.", location=f"{path}, line {number}")
        if not row.keys() <= names.keys():
            names |= dict.fromkeys(row)
            if needed <= names.keys():
                break
    columns = choose_columns(path, list(names), request)

    def records() -> Iterator[Record]:
        for number, row, error in _rows(file):  # again from the first line on
            lacking = next((name for name in columns.values() if name not in row), None)
            if not error and lacking is not None:
                error = f"has no {lacking!r}, only {', '.join(row)}"
            fields = {} if error else {role: row[name] for role, name in columns.items()}
            yield Record(number, fields, error)

    def chunks() -> Iterator[Chunk | None]:
        return _chunks(file, columns)

    return Records(str(path), records(), columns=columns, names=tuple(names), chunks=chunks)


def _chunks(file: TextFile, columns: Mapping[str, str]) -> Iterator[Chunk | None]:
    """The objects, many at once; see `Records.chunks`.

    Args:
        file: the file.
        columns: the column of each role.
    """
    count = 0
    for block in _complete_lines(file):
        try:
            lines = split_lines(block.decode("utf-8"))
            # Blank lines are not parsed, but count in the line numbers.
            numbers = [count + at for at, line in enumerate(lines, 1) if line and line.strip()]
            rows = [_parse(lines[number - count - 1]) for number in numbers]
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
