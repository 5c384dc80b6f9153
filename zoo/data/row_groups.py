"""Rows of a table that belong together because a column has the same value in all of them."""

from collections.abc import Callable, Iterator

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data.records import Record, Records


def row_groups(
    records: Records,
    role: str,
    whole: str,
    fault: Callable[[list[Record], Record], str],
    *,
    strict: bool,
    continues: bool = False,
) -> Iterator[list[Record]]:
    """The rows of each group, which must be consecutive; malformed rows have their error.

    Args:
        records: the rows.
        role: the role of the column that names the group of each row.
        whole: what a group is, for messages: "series".
        fault: (the earlier rows of its group, the row) -> what else is wrong with a row, or "".
        strict: whether a malformed row is an error.
        continues: whether a row without a name belongs to the group of the row before.

    Raises:
        SeqzooError: `strict` is set, and a row is malformed or has no group, or a group begins
            twice.
    """
    column = records.columns[role]
    seen: dict[str, int] = {}
    rows: list[Record] = []
    for record in records.records:
        name = text_of(record.fields.get(role))
        begins = bool(name) and name not in seen
        error = record.error
        if not error and not name and not (continues and seen):
            does = f"does not begin a {whole}" if continues else f"is in no {whole}"
            error = f"{does}: {column!r} is empty"
        if not error and name in seen and name != next(reversed(seen)):
            where = f"{records.unit} {records.line(seen[name])}"
            error = (
                f"has {column!r} {name!r}, as {where} does; the rows of a {whole} must be "
                "consecutive"
            )
        error = error or fault([] if begins else rows, record)
        if error and strict:
            where = records.location(record.number)
            raise SeqzooError(f"{where} {error}.", location=where)
        if begins:
            if rows:
                yield rows
            rows = []
            seen[name] = record.number
        rows.append(record._replace(error=error))
    if rows:
        yield rows


def text_of(field: object) -> str:
    """A field as text; empty if the value is missing: None, or NaN in a column of numbers."""
    return "" if field is None or field != field else str(field).strip()
