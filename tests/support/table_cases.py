"""Reads all columns of a table, or what `predict` reads from a file, for the tests of readers."""

import pathlib
from collections.abc import Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data import formats, prediction_inputs
from seqzoo.zoo.data.prediction_inputs import File, RawInput
from seqzoo.zoo.data.records import Request
from seqzoo.zoo.data.source import Source


class Table(NamedTuple):
    """Names of columns, rows as mappings, and the line of each."""

    names: tuple[str, ...]
    rows: list[dict[str, Any]]
    lines: list[int]

    def column(self, name: str) -> list:
        """The values of a column."""
        return [row[name] for row in self.rows]


def read_table(
    path: pathlib.Path,
    *,
    columns: Sequence[str] | None = None,
    delimiter: str | None = None,
    only: Sequence[str] | None = None,
) -> Table:
    """The rows of a table, with all or some columns; malformed rows are errors, as in training."""
    plain = Source("", "characters", columns=columns, delimiter=delimiter)

    def records(names: Sequence[str]) -> Any:
        source: Any = SimpleNamespace(**{**vars(plain), **{name: name for name in names}})
        return formats.read(path, Request(source, tuple(names)))

    names = records(()).names if only is None else tuple(only)
    result = records(names)
    rows = list(result.records)
    for row in rows:
        if row.error:
            raise SeqzooError(f"{result.location(row.number)} {row.error}.")
    return Table(result.names, [dict(row.fields) for row in rows], [row.number for row in rows])


def of_file(file: File, source: Mapping[str, Any]) -> Iterator[RawInput]:
    """The inputs in a file, for a run whose source has these fields."""
    fields: dict[str, Any] = {"data": "", "kind": "characters", **source}
    return prediction_inputs.of_file(file, Source(**fields))
