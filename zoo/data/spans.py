"""Texts with spans of characters, as annotation tools write them, read as words with BIO tags."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.preprocessing.raw_sentences import PIECES, is_sign
from seqzoo.zoo.data.records import INPUT, TARGET, Record, Records

STARTS, ENDS = ("start", "start_offset"), ("end", "end_offset")
LABELS = ("label", "labels")
"""Keys of spans that are objects: those of Prodigy, doccano and Label Studio."""


class Span(NamedTuple):
    """A labelled part of a text, from one character up to another one, counted from 0."""

    start: int
    end: int
    label: str


def spans_of(field: Any) -> list[Span] | None:
    """The spans in a field: a list of [start, end, label] or of objects, or JSON with such a list,
    sorted by position; None if it is anything else."""
    if isinstance(field, str) and re.match(r"\s*\[\s*(?:[\[{]|\]\s*$)", field):
        try:
            field = json.loads(field)
        except (ValueError, RecursionError):
            return None
    if not isinstance(field, list | tuple):
        return None
    spans = [_span(item) for item in field]
    return None if None in spans else sorted(span for span in spans if span is not None)


def _span(item: Any) -> Span | None:
    if isinstance(item, dict):
        item = [
            next((item[key] for key in keys if key in item), None)
            for keys in (STARTS, ENDS, LABELS)
        ]
    if not isinstance(item, list | tuple) or len(item) != 3:
        return None
    start, end, label = item
    if isinstance(label, list) and len(label) == 1:
        (label,) = label
    if not isinstance(label, str) or not label.strip():
        return None
    if not all(isinstance(place, int) and not isinstance(place, bool) for place in (start, end)):
        return None
    return Span(start, end, "-".join(label.split()))


def tagged_words(text: str, spans: list[Span]) -> tuple[list[str], list[str]]:
    """The words of a text, and a BIO tag for each. A span covers every word that it touches.

    Args:
        text: the text.
        spans: its spans, sorted by position.

    Raises:
        SeqzooError: a span is not within the text or has no word, or two have the same word.
    """
    words = list(_places(text))
    tags, owners = ["O"] * len(words), dict[int, Span]()
    for span in spans:
        if not 0 <= span.start < span.end <= len(text):
            raise SeqzooError(
                f"has the span {list(span)}, but spans must be within the {len(text):,} characters "
                "of the text"
            )
        covered = [
            index
            for index, (start, end) in enumerate(words)
            if start < span.end and end > span.start
        ]
        if not covered:
            raise SeqzooError(f"has the span {list(span)}, in which there is no word; delete it")
        for index in covered:
            if index in owners:
                word = text[slice(*words[index])]
                raise SeqzooError(
                    f"has the spans {list(owners[index])} and {list(span)}, both with the word "
                    f"{word!r}; a word can be in one span only, so delete one of them"
                )
            owners[index] = span
            tags[index] = f"{'B' if index == covered[0] else 'I'}-{span.label}"
    return [text[start:end] for start, end in words], tags


def _places(text: str) -> Iterator[tuple[int, int]]:
    """Where each word begins and ends. Text is split at whitespace, and each punctuation mark or
    emoji at either end of a part is a word, as in sentences that a tagger splits."""
    for part in re.finditer(r"\S+", text):
        pieces = [piece.span() for piece in PIECES.finditer(text, *part.span())]
        inside = [index for index, (start, _) in enumerate(pieces) if not is_sign(text[start])]
        if not inside:
            yield from pieces
            continue
        yield from pieces[: inside[0]]
        yield pieces[inside[0]][0], pieces[inside[-1]][1]
        yield from pieces[inside[-1] + 1 :]


def with_tags(records: Records, *, strict: bool) -> Records:
    """Records of texts with spans as records of words with tags; others are unchanged.

    Args:
        records: one per text, with the roles `INPUT` and `TARGET`.
        strict: whether invalid spans are an error, instead of an invalid record.

    Raises:
        SeqzooError: `strict` is set, and spans overlap or are not within their text.
    """

    def converted() -> Iterator[Record]:
        for record in records.records:
            text, spans = record.fields.get(INPUT), spans_of(record.fields.get(TARGET))
            if not isinstance(text, str) or spans is None:
                yield record
                continue
            try:
                words, tags = tagged_words(text, spans)
            except SeqzooError as error:
                message = f"{records.columns[TARGET]!r} {error}"
                if strict:
                    where = records.location(record.number)
                    raise SeqzooError(f"{where}: {message}.", location=where) from error
                yield Record(record.number, {}, message)
                continue
            yield record._replace(fields={**record.fields, INPUT: words, TARGET: tags})

    return replace(records, records=converted(), chunks=None)
