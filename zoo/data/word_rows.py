"""Tables with one word per row, and a column that says which sentence the word belongs to."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from seqzoo.zoo.data.records import INPUT, SENTENCE, TARGET, Record, Records
from seqzoo.zoo.data.row_groups import row_groups, text_of


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

    def missing_part(_: list[Record], record: Record) -> str:
        """What is wrong with a row that lacks its word or tag."""
        for role in (INPUT, TARGET):
            if role in record.fields and not text_of(record.fields[role]):
                return f"has no {records.columns[role]!r}"
        return ""

    def joined() -> Iterator[Record]:
        groups = row_groups(
            records, SENTENCE, "sentence", missing_part, strict=strict, continues=True
        )
        return map(_sentence, groups)

    columns = {role: name for role, name in records.columns.items() if role != SENTENCE}
    return replace(records, records=joined(), columns=columns)


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
