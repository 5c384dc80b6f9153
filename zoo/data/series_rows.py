"""Tables with a row per step, and a column that says which series the step belongs to."""

from dataclasses import replace

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
from seqzoo.zoo.data.row_groups import row_groups

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
    columns = [role for role in records.columns if role == INPUT or role.startswith(STEP)]
    by_step = {TIME, *([TARGET] if target_kind in OF_STEPS else [])}
    constant = [
        role
        for role in records.columns
        if role in (TARGET, SPLIT) and role not in by_step or role.startswith(FURTHER)
    ]

    def contradiction(before: list[Record], row: Record) -> str:
        """What differs between two rows of a series, although it belongs to the whole series."""
        for role in constant if before and before[0].fields and row.fields else ():
            value, first = row.fields[role], before[0].fields[role]
            if value != first:
                name = records.columns[role]
                return f"has {name!r} {value!r}, but the series began with {first!r}"
        return ""

    def series(rows: list[Record]) -> Record:
        first = rows[0]
        wrong = next((row for row in rows if row.error), None)
        if wrong is not None:
            return Record(wrong.number, {}, wrong.error)
        left_out = [SERIES, *columns[1:]]
        fields = {role: value for role, value in first.fields.items() if role not in left_out}
        values = [[row.fields[role] for role in columns] for row in rows]
        fields[INPUT] = values if len(columns) > 1 else [value for (value,) in values]
        fields |= {role: [row.fields[role] for row in rows] for role in by_step if role in fields}
        return Record(first.number, fields)

    groups = row_groups(records, SERIES, "series", contradiction, strict=strict)
    named = {INPUT: ", ".join(records.columns[role] for role in columns)}
    others = {
        role: name
        for role, name in records.columns.items()
        if role != SERIES and role not in columns
    }
    return replace(records, records=map(series, groups), columns=named | others, chunks=None)
