"""The roles of the columns of tables for tags: with one word per row, or with spans of texts."""

import re
from collections.abc import Mapping
from typing import Any

from seqzoo.zoo.data.spans import spans_of

SENTENCE_NAME = re.compile(r"sent(ence)?s?[\W_]*(id|no|nr|number|index)?[\W_]*", re.IGNORECASE)
TEXT_NAMES = ("text", "sentence", "data", "content")
WORD_NAMES = ("word", "token", "form", "text", "words")
TAG_NAMES = ("tag", "tags", "ner", "ner_tag", "ner_tags", "pos", "upos", "label", "labels")
"""Common names of columns of texts, words and tags, the most likely ones first."""

WORDS = 1.5
"""Minimum mean number of rows of a sentence."""


def word_fields(columns: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a source for tags from a table with one word per row; empty if it is none.

    Args:
        columns: the `Column`s of the table by name.
        given: fields that were given.
    """
    sentence = given.get("sentence_column") or next(
        (name for name, column in columns.items() if _numbers_sentences(name, column)), None
    )
    if sentence is None:
        return {}
    others = {name: column for name, column in columns.items() if name != sentence}
    word = given.get("input") or _named(others, WORD_NAMES)
    tag = given.get("target") or _named(others, TAG_NAMES)
    if word is None or tag is None or word == tag or not _are_words(columns.get(word)):
        return {}
    fields = {"kind": "words", "target_kind": "tags", "sentence_column": sentence}
    return {**fields, "input": word, "target": tag}


def span_fields(columns: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a source for tags from texts with spans; empty if no column has spans.

    Args:
        columns: the `Column`s of the table by name.
        given: fields that were given.
    """
    names = [given["target"]] if given.get("target") in columns else columns
    target = next((name for name in names if _has_spans(columns[name])), None)
    if target is None:
        return {}
    texts = {name: column for name, column in columns.items() if column.content == "text"}
    text = given.get("input") or _named(texts, TEXT_NAMES) or next(iter(texts), None)
    if text is None:
        return {}
    return {"kind": "words", "target_kind": "tags", "input": text, "target": target}


def _has_spans(column: Any) -> bool:
    """Whether the fields of a column are lists of spans, at least one of which is not empty."""
    spans = [spans_of(item) for item in column.present]
    return None not in spans and any(spans)


def _numbers_sentences(name: str, column: Any) -> bool:
    """Whether the values of a column identify sentences of several rows."""
    if not SENTENCE_NAME.fullmatch(name.strip()) or not column.values:
        return False
    values = [None if item is None or str(item).strip() == "" else item for item in column.values]
    begins = sum(
        item is not None and item != before
        for before, item in zip([None, *values], values, strict=False)
    )
    return bool(begins) and len(values) >= WORDS * begins


def _named(columns: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    """The first column with one of some names."""
    by_name = {name.strip().lower(): name for name in columns}
    return next((by_name[name] for name in names if name in by_name), None)


def _are_words(column: Any) -> bool:
    """Whether the values of a column have no whitespace inside."""
    return column is not None and all(len(str(item).split()) == 1 for item in column.present)
