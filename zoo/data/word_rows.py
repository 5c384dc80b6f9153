"""Tables with one word per row, and a column that says which sentence the word belongs to."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data.records import INPUT, SENTENCE, TARGET, Record, Records


def sentences(records: Records, *, strict: bool) -> Records:
    """The rows of each sentence as one record, with lists of its words and tags.

    The sentence column may be empty after the first row of a sentence. The split and the weight of
    a sentence are those of its first row.

    Args:
        records: one per word, with the role `SENTENCE`.
        strict: whether a malformed row is an error, instead of an invalid sentence.

    Raises:
        SeqzooError: `strict` is set, and a row is malformed or has no word or tag, the first row
            has no sentence, or a sentence begins twice.
    """
    column = records.columns[SENTENCE]

    def joined() -> Iterator[Record]:
        seen: dict[str, int] = {}
        rows: list[Record] = []
        for record in records.records:
            name = _text(record.fields.get(SENTENCE))
            error = record.error or _missing_part(records, record)
            if not error and not name and not seen:
                error = f"does not begin a sentence: {column!r} is empty"
            if not error and name and name in seen and name != next(reversed(seen)):
                where = f"{records.unit} {records.line(seen[name])}"
                error = (
                    f"has {column!r} {name!r}, as {where} does; the rows of a sentence must be "
                    "consecutive"
                )
            if error and strict:
                where = records.location(record.number)
                raise SeqzooError(f"{where} {error}.", location=where)
            if name and name not in seen:
                if rows:
                    yield _sentence(rows)
                rows = []
                seen[name] = record.number
            rows.append(record._replace(error=error))
        if rows:
            yield _sentence(rows)

    columns = {role: name for role, name in records.columns.items() if role != SENTENCE}
    return replace(records, records=joined(), columns=columns)


def _missing_part(records: Records, record: Record) -> str:
    """What is wrong with a row that lacks its word or tag."""
    for role in (INPUT, TARGET):
        if role in record.fields and not _text(record.fields[role]):
            return f"has no {records.columns[role]!r}"
    return ""


def _text(field: Any) -> str:
    """A field as text; empty if the value is missing: None, or NaN in a column of numbers."""
    return "" if field is None or field != field else str(field).strip()


def _sentence(rows: list[Record]) -> Record:
    """The rows of a sentence as one record, with the number of the first row."""
    wrong = next((row for row in rows if row.error), None)
    if wrong is not None:
        return Record(wrong.number, {}, wrong.error)
    fields = {role: field for role, field in rows[0].fields.items() if role != SENTENCE}
    fields[INPUT] = [_word(row.fields[INPUT]) for row in rows]
    if TARGET in fields:
        fields[TARGET] = [row.fields[TARGET] for row in rows]
    return Record(rows[0].number, fields)


def _word(field: Any) -> Any:
    return field.strip() if isinstance(field, str) else field
