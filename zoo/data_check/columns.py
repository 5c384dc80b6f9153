"""The columns of a table, and the most likely kind of each."""

import itertools
import json
import pathlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from seqzoo.tasks.errors import SeqzooError, nearest
from seqzoo.zoo.data import class_folders, formats
from seqzoo.zoo.data.column_names import split_names
from seqzoo.zoo.data.records import Request
from seqzoo.zoo.data.remote import local
from seqzoo.zoo.data.source import DATED, HISTORY, Source, check_roles, input_columns
from seqzoo.zoo.data_check.dated_columns import begins_with_dates, dated_fields, has_numbers
from seqzoo.zoo.data_check.word_columns import word_fields

MAX_ROWS = 20_000
"""Maximum number of rows that are used to infer kinds and searched for leaks."""

OF_A_KIND = 0.95
"""Minimum fraction of a column's values that must be of a kind for it to be the column's kind."""

Content = Literal["numbers", "series", "dates", "audio", "image", "names", "lists", "text", "other"]

READING = ("columns", "delimiter", "separator", "data_dir")
"""Fields of a source that say how a file is read, whatever its contents."""

INPUT_NAMES = (
    *("text", "input", "sentence", "review", "message", "content", "source", "question"),
    *("tokens", "words"),
)
TARGET_NAMES = (
    *("label", "target", "class", "category", "tag", "tags", "sentiment", "y", "output"),
    *("labels", "categories", "ner_tags", "pos_tags"),
)
"""Common names of columns of inputs and of targets, the most likely ones first."""

DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?")
FILES = {"audio": (".wav", ".flac", ".ogg"), "image": (".png", ".jpg", ".jpeg", ".bmp", ".gif")}

FEW_NAMES = 0.5
"""Maximum fraction of distinct values in a column of names."""

SHORT = 40
"""Maximum mean length, in characters, of repeated strings that are names rather than texts."""

FEW_WORDS = 3.0
"""Maximum mean number of words per text for texts that are read character by character."""


@dataclass(frozen=True)
class Column:
    """The values of a column, as they are stored in the file.

    Attributes:
        name: the name of the column.
        values: the value of each row: text or another type; None if it is missing.
    """

    name: str
    values: Sequence[Any]

    @cached_property
    def present(self) -> list[Any]:
        """The values that are not missing."""
        return [value for value in self.values if value is not None and value != ""]

    @cached_property
    def content(self) -> Content:
        """The most likely kind of the values."""
        if not self.present:
            return "other"
        tests: dict[Content, Any] = {
            "numbers": is_number,
            "series": _is_series,
            "dates": lambda item: (
                isinstance(item, str) and DATE.fullmatch(item.strip()) is not None
            ),
            "audio": lambda item: _is_file(item, "audio"),
            "image": lambda item: _is_file(item, "image"),
            "lists": _is_list,
        }
        for content, test in tests.items():
            if sum(map(test, self.present)) >= OF_A_KIND * len(self.present):
                return content
        if not all(isinstance(item, str | bool | int) for item in self.present):
            return "other"
        if begins_with_dates(self.present):
            return "dates"
        texts = list(map(str, self.present))
        distinct = len(set(texts))
        short = sum(map(len, texts)) <= SHORT * len(texts)
        return "names" if short and distinct <= FEW_NAMES * len(texts) else "text"

    @cached_property
    def are_few_whole_numbers(self) -> bool:
        """Whether the values are a few whole numbers, which occur several times each."""
        numbers = [item for item in self.present if is_number(item)]
        whole = bool(numbers) and all(float(item).is_integer() for item in numbers)
        return whole and self.distinct <= min(30, FEW_NAMES * len(self.present))

    @cached_property
    def distinct(self) -> int:
        """The number of distinct values."""
        return len(set(map(str, self.present)))


class _AllColumns(Request):
    """A request whose roles are the names of columns."""

    def name(self, role: str) -> str | None:
        return role


def is_table(source: Source) -> bool:
    """Whether a source is a file with named columns."""
    return source.is_file() and _format(source) in formats.TABLES


def read_columns(source: Source) -> dict[str, Column]:
    """The columns of a table by name, with at most `MAX_ROWS` rows; malformed rows are left out.

    Raises:
        SeqzooError: the file cannot be read at all.
    """
    path = pathlib.Path(local(source.data)).expanduser()
    names = formats.read(path, _AllColumns(source, (), strict=False)).names
    records = formats.read(path, _AllColumns(source, names, strict=False))
    first = list(itertools.islice(records.records, MAX_ROWS))
    fields = [record.fields for record in first if not record.error]
    if not fields:
        where = first and f"{records.unit} {records.line(first[0].number)} {first[0].error}"
        raise SeqzooError(
            f"{path} has no rows that can be read ({', '.join(names)})"
            f"{f': {where}' if where else ''}."
        )
    return {name: Column(name, [row[name] for row in fields]) for name in names}


@dataclass(frozen=True)
class Guess:
    """A source with inferred kinds and columns.

    Attributes:
        source: the source.
        guessed: the fields that were inferred, by name.
    """

    source: Source
    guessed: Mapping[str, Any]


def guess(data: str, given: Mapping[str, Any]) -> Guess:
    """Infers the kinds and columns that were not given.

    Args:
        data: a built-in data set, tfds:NAME, or a file or folder.
        given: fields of `Source`.

    Raises:
        SeqzooError: the data do not exist, or their kinds cannot be inferred; the message says what
            to set.
    """
    check_roles(given)
    reading = {name: given[name] for name in READING if name in given}
    lemmas = given.get("kind") == "lemma" and not given.get("input")
    probe = Source(data, "lemma" if lemmas else "characters", **reading)
    inferred: dict[str, Any] = {}
    if probe.is_file():
        inferred = _of_format(probe)
        if not inferred and is_table(probe):
            inferred = _of_columns(read_columns(probe), given)
    if given.get("sentence_column") is not None:
        inferred |= {"kind": "words", "target_kind": "tags"}
    inferred = {name: value for name, value in inferred.items() if name not in given}
    if "kind" not in given and "kind" not in inferred:
        raise SeqzooError(
            f"The input type of {data} cannot be inferred; set it with --kind, and the "
            "target type with --target-kind.",
            field="kind",
        )
    return Guess(Source(data, **{**inferred, **given}), inferred)


def is_dated(given: Mapping[str, Any]) -> bool:
    """Whether the given fields of a source are those of a table with dates."""
    only_dated = [name for name in DATED if name != "static_columns"]
    return given.get("kind") == HISTORY or any(given.get(name) is not None for name in only_dated)


def separate_columns(data: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The given fields, with the further columns of `input` and the static columns turned into
    further inputs.

    Args:
        data: see `guess`.
        given: fields of `Source`; the kind of the other columns is that of the first one.

    Raises:
        SeqzooError: see `guess`.
    """
    names = split_names(given.get("input") or "")
    check_roles({**given, "input": None}, [*names, *(given.get("static_columns") or ())])
    if names == [given.get("input") or ""] and not given.get("static_columns"):
        return dict(given)
    kind = given.get("kind")
    if kind is None:
        others = ("static_columns", "further_inputs")
        first = {name: value for name, value in given.items() if name not in others}
        if first.get("input"):
            first["input"] = names[0]
        kind = guess(data, first).source.kind
    return input_columns(given, kind)


def _format(source: Source) -> str:
    lemmas = formats.reads_lemmas(source)
    return formats.format_of(local(source.data), delimiter=source.delimiter, lemmas=lemmas)


def _of_format(source: Source) -> dict[str, str]:
    """The kinds that the format of a file implies; empty if it implies none."""
    name = _format(source)
    if name == "class folders":
        folder = pathlib.Path(local(source.data)).expanduser()
        return {"kind": class_folders.kind_of(folder), "target_kind": "class"}
    return {
        "conll": {"kind": "words", "target_kind": "tags"},
        "text": {"kind": "characters", "target_kind": "next"},
        "unimorph": {"kind": "lemma", "target_kind": "characters"},
    }.get(name, {})


def _of_columns(columns: Mapping[str, Column], given: Mapping[str, Any]) -> dict[str, Any]:
    """The kinds and columns of a table, as far as they can be inferred from its values."""
    dated = is_dated(given)
    # The targets of a forecast are checked when they are read: there may be several.
    for role in ("date_column", "series_column") if dated else ("input", "target"):
        if given.get(role) is not None and given[role] not in columns:
            raise SeqzooError(
                f"`{role}` must name a column ({', '.join(columns)}), got {given[role]!r}"
                f"{nearest(given[role], columns)}",
                field=role,
            )
    if dated:
        fields = dated_fields(columns, given)
        return fields or {"kind": HISTORY, "target_kind": "horizon"}
    if "kind" not in given and (fields := word_fields(columns, given)):
        return fields
    taken = {given.get(name) for name in ("split_column", "weight_column", "time_column")}
    taken |= {given.get("sentence_column"), *(given.get("further_inputs") or ())}
    available = [column for name, column in columns.items() if name not in taken]
    readable = [
        column
        for column in available
        if column.name == given.get("input") or not has_numbers(column)
    ]
    source = _chosen(
        readable, given.get("input"), INPUT_NAMES, ("text", "lists", "audio", "image", "series")
    )
    if source is None:
        return {} if given.get("kind") else dated_fields(columns, given)
    others = [column for column in available if column is not source]
    fitting: tuple[Content, ...] = ("names", "lists", "numbers", "text")
    if source.content == "lists":  # words, whose tags may be the numbers of tags
        fitting = ("lists", "series", "names", "numbers", "text")
    target = _chosen(others, given.get("target"), TARGET_NAMES, fitting)
    kind = given.get("kind") or _input_kind(source)
    results = {"input": source.name, "kind": kind}
    if target is None or given.get("target_kind") == "next":
        return results | {"target_kind": "next"}
    return results | {"target": target.name, "target_kind": _target_kind(source, target)}


def _chosen(
    columns: Sequence[Column],
    name: str | None,
    usual: Sequence[str],
    contents: Sequence[Content],
) -> Column | None:
    """The named column, or one with a common name, or the column with the longest values among
    those of the first content that occurs."""
    if name is not None:
        return next((column for column in columns if column.name == name), None)
    fitting = [column for column in columns if column.content in contents]
    for known in usual:
        for column in fitting:
            if column.name.lower() == known:
                return column
    for content in contents:
        alike = [column for column in fitting if column.content == content]
        if alike:
            return max(alike, key=lambda column: sum(len(str(item)) for item in column.present))
    return None


def _input_kind(column: Column) -> str:
    if column.content == "image":
        return "rows"
    if column.content in ("audio", "series"):
        return column.content
    if column.content == "lists":
        return "words"
    words = sum(len(_items(text)) for text in column.present) / max(len(column.present), 1)
    return "characters" if words <= FEW_WORDS else "words"


def _target_kind(source: Column, target: Column) -> str:
    if target.content == "numbers":
        return "class" if target.are_few_whole_numbers else "value"
    numbers_of_tags = source.content == "lists" and target.content == "series"
    if target.content not in ("text", "lists") and not numbers_of_tags:
        return "class"
    pairs = list(zip(source.values, target.values, strict=True))
    aligned = sum(len(_items(one)) == len(_items(other)) for one, other in pairs)
    tags = {tag for _, other in pairs for tag in _items(other)}
    if aligned >= OF_A_KIND * len(pairs) and len(tags) <= len(pairs):
        return "tags"
    return "labels" if target.content in ("lists", "series") else _input_kind(target)


def _items(value: Any) -> list[str]:
    """The items of a list, or the words of a text."""
    return list(map(str, value)) if isinstance(value, list | tuple) else str(value).split()


def _is_list(value: Any) -> bool:
    """Whether a field is a list of strings."""
    return isinstance(value, list | tuple) and all(isinstance(x, str) for x in value)


def is_number(value: Any) -> bool:
    """Whether a field is one number."""
    if isinstance(value, bool):
        return False
    try:
        float(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _is_series(value: Any) -> bool:
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            return False
    if isinstance(value, str):
        value = value.split()
    return hasattr(value, "__len__") and len(value) > 1 and all(map(is_number, list(value)))


def _is_file(value: Any, content: str) -> bool:
    return isinstance(value, str) and value.lower().endswith(FILES[content])
