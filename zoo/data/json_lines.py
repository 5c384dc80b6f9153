"""JSON Lines: one object per line; columns are the objects' keys."""

import json
import pathlib
from collections.abc import Iterator
from typing import Any

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data.records import (
    Record,
    Records,
    Request,
    TextFile,
    choose_columns,
    undecoded,
)


def read(path: pathlib.Path, request: Request) -> Records:
    """The objects in a file; empty lines are left out.

    Raises:
        SeqzooError: it cannot be read, is empty, or lacks a column.
    """
    file = TextFile(path, strict=request.strict)
    names: dict[str, None] = {}
    for number, row, error in _rows(file):
        # A malformed line is reported before a column that is missing because of it.
        if error and request.strict:
            raise SeqzooError(f"{path}, line {number} {error}.", location=f"{path}, line {number}")
        if not row.keys() <= names.keys():
            names |= dict.fromkeys(row)
    columns = choose_columns(path, list(names), request)

    def records() -> Iterator[Record]:
        for number, row, error in _rows(file):  # read again, because all names must be known first
            lacking = next((name for name in columns.values() if name not in row), None)
            if not error and lacking is not None:
                error = f"has no {lacking!r}, only {', '.join(row)}"
            fields = {} if error else {role: row[name] for role, name in columns.items()}
            yield Record(number, fields, error)

    return Records(str(path), records(), columns=columns, names=tuple(names))


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
