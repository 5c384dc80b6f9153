"""Tables with a row per step, and a column that says which series the step belongs to."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data.records import (
    FURTHER,
    INPUT,
    SERIES,
    SPLIT,
    STEP,
    TARGET,
    TIME,
    Record,
    Records,
)

OF_STEPS = ("values", "tags")
"""Target types with a target per step."""


def joined_series(records: Records, target_kind: str, *, strict: bool) -> Records:
    """The rows of each series as one record: lists of the values and the times of its steps and, if
    each step has a target, of its targets.

    Other targets, splits and further inputs must be the same in all rows of a series; its weight is
    that of its first row.

    Args:
        records: one per step, with the role `SERIES`.
        target_kind: the target type.
        strict: whether a malformed row is an error, instead of an invalid series.

    Raises:
        SeqzooError: `strict` is set, and a row is malformed, or its fields contradict those of the
            rows before.
    """
    column = records.columns[SERIES]
    columns = [role for role in records.columns if role == INPUT or role.startswith(STEP)]
    by_step = {TIME, *([TARGET] if target_kind in OF_STEPS else [])}
    constant = [
        role
        for role in records.columns
        if role in (TARGET, SPLIT) and role not in by_step or role.startswith(FURTHER)
    ]

    def series(rows: list[Record]) -> Record:
        first = rows[0]
        wrong = next((row.error for row in rows if row.error), "")
        if wrong:
            return Record(first.number, {}, wrong)
        fields = {role: value for role, value in first.fields.items() if role in records.columns}
        for role in [SERIES, *columns[1:]]:
            fields.pop(role, None)
        values = [[row.fields[role] for role in columns] for row in rows]
        fields[INPUT] = values if len(columns) > 1 else [value for (value,) in values]
        fields |= {role: [row.fields[role] for row in rows] for role in by_step if role in fields}
        return Record(first.number, fields)

    def joined() -> Iterator[Record]:
        seen: dict[str, int] = {}
        rows: list[Record] = []
        for record in records.records:
            name = _text(record.fields.get(SERIES))
            error = record.error or ("" if name else f"has no {column!r}, the name of its series")
            if not error and name in seen and name != next(reversed(seen)):
                where = f"{records.unit} {records.line(seen[name])}"
                error = (
                    f"has {column!r} {name!r}, as {where} does; the rows of a series must be "
                    "consecutive"
                )
            if not error and name in seen:
                error = _contradiction(records, constant, rows[0], record)
            if error and strict:
                where = records.location(record.number)
                raise SeqzooError(f"{where} {error}.", location=where)
            if name and name not in seen:
                if rows:
                    yield series(rows)
                rows = []
                seen[name] = record.number
            rows.append(record._replace(error=error))
        if rows:
            yield series(rows)

    named = {INPUT: ", ".join(records.columns[role] for role in columns)}
    others = {
        role: name
        for role, name in records.columns.items()
        if role != SERIES and role not in columns
    }
    return replace(records, records=joined(), columns=named | others, chunks=None)


def _contradiction(records: Records, roles: list[str], first: Record, row: Record) -> str:
    """What differs between two rows of a series, although it belongs to the series as a whole."""
    for role in roles:
        if first.fields and row.fields[role] != first.fields[role]:
            return (
                f"has {records.columns[role]!r} {row.fields[role]!r}, but the series began with "
                f"{first.fields[role]!r}"
            )
    return ""


def _text(field: Any) -> str:
    """A field as text; empty if the value is missing: None, or NaN in a column of numbers."""
    return "" if field is None or field != field else str(field).strip()
