"""What the columns of a table are most likely for."""

import itertools
import pathlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seqzoo.tasks.data.column_names import split_names
from seqzoo.tasks.errors import SeqzooError, nearest, some_of
from seqzoo.tasks.preprocessing.static_numbers import MISSING
from seqzoo.tasks.wording import agreed
from seqzoo.zoo.data import class_folders, formats
from seqzoo.zoo.data.records import Request
from seqzoo.zoo.data.remote import local
from seqzoo.zoo.data.source import (
    COVARIATES,
    DATED,
    HISTORY,
    SERIES,
    Source,
    check_roles,
    input_columns,
)
from seqzoo.zoo.data.splits import TRAINING_NAMES, VALIDATION_NAMES
from seqzoo.zoo.data.suspicions import SEPARATORS
from seqzoo.zoo.data.wide_rows import is_wide, matching
from seqzoo.zoo.data_check.column import FEW_WORDS, Column, Content, is_number
from seqzoo.zoo.data_check.dated_columns import (
    OF_A_KIND,
    date_advice,
    dated_fields,
    has_numbers,
)
from seqzoo.zoo.data_check.word_columns import span_fields, word_fields

MAX_SHOWN = 3
"""Maximum number of fields of a second header line that a message shows."""

MAX_ROWS = 20_000
"""Maximum number of rows that are used to infer kinds and searched for leaks."""


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

PLURAL_NAMES = ("labels", "tags", "categories", "classes", "topics", "genres", "label_ids")
"""Common names of columns of several labels, in which a number with a comma is two of them."""


PLACEHOLDERS = (*MISSING, "tbd", "tba", "unknown", "missing", "nat")
"""Fields that stand for missing numbers or dates rather than name their units, in lower case and
without dots, dashes, asterisks and question marks around them."""

MIN_ROWS_BELOW = 3
"""Minimum number of rows below a second header line."""


SPLIT_NAMES = ("split", "set", "subset", "partition")
"""Common names of columns of splits."""


COMMON_WORDS = 0.2
"""Minimum fraction of words of a text that are also in another one to take it for another form of
the text rather than for tags."""

MANY_NUMBERS = 10
"""Minimum number of columns of numbers that may be the steps of a series."""

SEPARATED = 0.1
"""Minimum fraction of fields with a separator in a column with several labels per field."""


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
    return _read(source)[0]


def _read(source: Source) -> tuple[dict[str, Column], str]:
    """The columns of a table, and the location of the first row; an empty string unless the file
    has delimited fields."""
    path = pathlib.Path(local(source.data)).expanduser()
    names = formats.read(path, _AllColumns(source, (), strict=False)).names
    records = formats.read(path, _AllColumns(source, names, strict=False))
    first = list(itertools.islice(records.records, MAX_ROWS))
    valid = [record for record in first if not record.error]
    if not valid:
        where = first and f"{records.unit} {records.line(first[0].number)} {first[0].error}"
        raise SeqzooError(
            f"{path} has no rows that can be read ({some_of(names)})"
            f"{f': {where}' if where else ''}."
        )
    columns = {name: Column(name, [record.fields[name] for record in valid]) for name in names}
    return columns, records.location(valid[0].number) if records.delimiter else ""


def _second_header(columns: Mapping[str, Column]) -> dict[str, str]:
    """The fields of a first row that names units, for instance, by column: it has text where nearly
    all other rows have numbers or dates, in two columns or more, which is not the same in all of
    them, and no number or date; empty if it does not."""
    first = {name: str(column.values[0] or "").strip() for name, column in columns.items()}
    if any(field and _is_number_or_date(Column("", [field])) for field in first.values()):
        return {}
    found = {
        name: first[name]
        for name, column in _without_first_row(columns).items()
        if first[name].strip(".-–—*?").lower() not in PLACEHOLDERS
        and len(column.present) >= MIN_ROWS_BELOW
        and _is_number_or_date(column)
    }
    alone = len(found) == len([*filter(None, first.values())]) == 1
    return found if alone or len(set(found.values())) > 1 else {}


def _without_first_row(columns: Mapping[str, Column]) -> dict[str, Column]:
    return {name: Column(name, column.values[1:]) for name, column in columns.items()}


def _is_number_or_date(column: Column) -> bool:
    return has_numbers(column) or column.content == "dates"


@dataclass(frozen=True)
class Guess:
    """A source with inferred kinds and columns.

    Attributes:
        source: the source.
        guessed: the fields that were inferred, by name.
        left_out: the columns that may not be inferred as targets because of their values.
    """

    source: Source
    guessed: Mapping[str, Any]
    left_out: tuple[str, ...] = ()


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
    left_out: tuple[str, ...] = ()
    advice = location = ""
    second: dict[str, str] = {}
    if probe.is_file():
        inferred = _of_format(probe)
        if given.get("kind") == "series" and given.get("series_column") is not None:
            inferred = {} if given.get("target") else {"target_kind": "next"}
        elif not inferred and is_table(probe):
            columns, location = _read(probe)
            if location and (second := _second_header(columns)):
                columns = _without_first_row(columns)
            inferred = _of_columns(columns, given)
            if "target" not in given and given.get("target_kind") != "next":
                left_out = _left_out(columns, given, inferred)
            advice = date_advice(columns)
            count = sum(map(has_numbers, columns.values()))
            if count >= MANY_NUMBERS:
                options = f"--kind series --input '{_pattern_of(columns)}'"
                # Column names such as 0.25 are the first row of a file without a header line.
                if all(map(is_number, columns)) and not all(map(str.isdecimal, columns)):
                    options = "--columns 'label,*' --kind series --input '*' --target label"
                advice += (
                    f" If the {count} columns of numbers are the steps of a series, name them with "
                    f"{options}."
                )
    if given.get("sentence_column") is not None:
        inferred |= {"kind": "words", "target_kind": "tags"}
    inferred = {name: value for name, value in inferred.items() if name not in given}
    if "kind" not in given and "kind" not in inferred:
        raise SeqzooError(
            f"The input type of {data} cannot be inferred; set it with --kind, and the "
            f"target type with --target-kind.{advice}",
            field="kind",
        )
    source = Source(data, **{**inferred, **given})
    if not _used(source, list(second)).isdisjoint(second):
        shown = list(second.values())[:MAX_SHOWN]
        raise SeqzooError(
            f"{location}: {', '.join(map(repr, shown))} {agreed(len(second), 'is', 'are')} "
            "followed almost only by numbers or dates, as in a second header line; delete this "
            "line.",
            location=location,
        )
    return Guess(source, inferred, left_out)


def is_dated(given: Mapping[str, Any]) -> bool:
    """Whether the given fields of a source are those of a table with dates."""
    if given.get("kind") == "series":  # its rows may be steps
        return False
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


def _used(source: Source, names: Sequence[str]) -> set[Any]:
    """The columns with a role, among `names`; all are targets of a forecast that names none."""
    if source.kind == HISTORY and not source.target:
        return set(names)
    used = {*_taken(vars(source)), *matching(source, names), source.series_column}
    for named in filter(None, (source.target, source.date_column)):
        used.update(split_names(named, names))
    return used.union(*(getattr(source, role) or () for role in COVARIATES))


def _is_pattern(given: Mapping[str, Any], names: Sequence[str]) -> bool:
    """Whether the given input is a pattern of the columns of steps."""
    if given.get("kind", "series") != "series" or given.get("input") in (None, *names):
        return False
    return is_wide(Source("", "series", input=given["input"], series_column=given.get(SERIES)))


def _pattern_of(columns: Mapping[str, Column]) -> str:
    """A pattern of the columns of numbers: the beginning that the names of most of them share."""
    names = [name for name, column in columns.items() if has_numbers(column)]
    prefixes = Counter(name.rstrip("0123456789") for name in names)
    (prefix, count), *_ = prefixes.most_common(1)
    return f"{prefix}*" if count >= MANY_NUMBERS else "*"


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
        named = given.get(role)
        names = split_names(named, list(columns)) if named and role == "date_column" else [named]
        for name in names:
            if role == "input" and _is_pattern(given, list(columns)):
                continue
            if name is not None and name not in columns:
                raise SeqzooError(
                    f"`{role}` must name a column ({some_of(list(columns))}), got {name!r}"
                    f"{nearest(name, columns)}",
                    field=role,
                )
    if dated:
        fields = dated_fields(columns, given)
        return fields or {"kind": HISTORY, "target_kind": "horizon"}
    split = _split_column(columns, given)
    if split is not None:
        others = {name: column for name, column in columns.items() if name != split}
        found = {str(value).strip().lower() for value in columns[split].present}
        if found.isdisjoint(TRAINING_NAMES):  # a part of the data, such as those for testing
            return _of_columns(others, given)
        fields = _of_columns(others, {**given, "split_column": split})
        # Forecasts hold out the last steps instead.
        return fields if fields.get("kind") == HISTORY else {**fields, "split_column": split}
    if "kind" not in given and (fields := word_fields(columns, given)):
        return fields
    if _is_pattern(given, list(columns)):
        matched = matching(Source("", **{**given, "kind": "series"}), list(columns))
        others = [column for name, column in columns.items() if name not in matched]
        others += [columns[name] for name in matched if name.lower() in TARGET_NAMES]
        target = _chosen(others, given.get("target"), TARGET_NAMES, ("names", "numbers"))
        if target is None:
            return {"kind": "series", "target_kind": "next"}
        return {"kind": "series", "target": target.name, "target_kind": _target_kind(target)}
    if given.get("kind", "words") == "words" and given.get("target_kind", "tags") == "tags":
        if fields := span_fields(columns, given):
            return fields
    free = [column for name, column in columns.items() if name not in _taken(given)]
    available = [column for column in free if not _is_unlikely(column, given)]
    readable = [
        column
        for column in available
        if column.name != given.get("target")
        and (column.name == given.get("input") or not has_numbers(column))
    ]
    if given.get("input") is None and _are_two_texts(available):
        readable = readable[:1]  # as in files of translations
    if given.get("input") is None:
        readable = [item for item in readable if item.name.lower() not in TARGET_NAMES] or readable
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
    if target is None:  # constant values, or numbers in order, of which classes come first
        others = [column for column in free if column not in available]
        others = [item for item in others if not (item.identifies_rows or item.are_epochs)]
        target = _chosen(others, given.get("target"), (), ("names", "numbers"))
    kind = given.get("kind") or _input_kind(source)
    results = {"input": source.name, "kind": kind}
    if target is None or given.get("target_kind") == "next":
        return results | {"target_kind": "next"}
    results["target"] = target.name
    named = given.get("target_kind") == "labels" or target.name.strip().lower() in PLURAL_NAMES
    if target.content in ("names", "text") and "separator" not in given:
        # A comma may be a decimal comma: "1,43" is a number rather than two labels.
        found = separator_of(target) if named or not has_numbers(target) else None
        if found is not None and given.get("target_kind", "labels") == "labels":
            return results | {"target_kind": "labels", "separator": found}
    kinds = [given["kind"]] if given.get("kind") else ["words", "characters"]
    for tagged in kinds:
        if _are_tags(source, target, tagged):
            return results | {"kind": tagged, "target_kind": "tags"}
    return results | {"target_kind": _target_kind(target)}


def _taken(given: Mapping[str, Any]) -> set[Any]:
    """The columns that have other roles than those of inputs and targets."""
    roles = ("split_column", "weight_column", "time_column", "sentence_column")
    return {*map(given.get, roles), *(given.get("further_inputs") or ())}


def _is_unlikely(column: Column, given: Mapping[str, Any]) -> bool:
    """Whether a column is neither an input nor a target, by its values, if there are others: it is
    constant, may identify rows, or has times. The given columns, and those with common names, are
    likely."""
    likely = {given.get("input"), given.get("target"), *INPUT_NAMES, *TARGET_NAMES}
    return likely.isdisjoint((column.name, column.name.lower())) and (
        column.is_constant
        or column.identifies_rows
        or column.may_identify_rows
        or column.are_epochs
    )


def _left_out(
    columns: Mapping[str, Column], given: Mapping[str, Any], inferred: Mapping[str, Any]
) -> tuple[str, ...]:
    """The columns without a role that are unlikely to be inputs or targets."""
    if inferred.get("kind") == HISTORY or inferred.get("sentence_column") is not None:
        return ()
    used = {*_taken(given), *inferred.values()}
    return tuple(
        name for name, column in columns.items() if name not in used and _is_unlikely(column, given)
    )


def _split_column(columns: Mapping[str, Column], given: Mapping[str, Any]) -> str | None:
    """The column that names the split of each row; None if there is none, or one is given."""
    if given.get("split_column") is not None:
        return None
    usual = {*TRAINING_NAMES, *VALIDATION_NAMES, "test"}
    for name, column in columns.items():
        found = {str(value).strip().lower() for value in column.present}
        several = len(found) > 1 and not found.isdisjoint(TRAINING_NAMES)
        if found and found <= usual and (several or name.lower() in SPLIT_NAMES):
            if name not in (given.get("input"), given.get("target")):
                return name
    return None


def _are_two_texts(columns: Sequence[Column]) -> bool:
    """Whether there are two columns, both with texts, whose names do not tell which is the
    input."""
    usual = {*INPUT_NAMES, *TARGET_NAMES}
    return len(columns) == 2 and all(
        column.content == "text" and column.name.lower() not in usual for column in columns
    )


def separator_of(column: Column) -> str | None:
    """The separator of several labels in the fields of a column; None if they have one label
    each: there are fewer different labels than fields, unless these are numbers."""
    fields = list(map(str, column.present))
    for separator in SEPARATORS:
        labels = [part.strip() for field in fields for part in field.split(separator)]
        several = sum(separator in field for field in fields)
        short = sum(len(label.split()) for label in labels) <= FEW_WORDS * len(labels)
        if short and "" not in labels and several >= SEPARATED * len(fields):
            if len(set(labels)) < len(set(fields)) or has_numbers(column):
                return separator
    return None


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
        if content == "numbers":  # rather classes than the numbers of rows
            alike = [column for column in alike if column.are_few_whole_numbers] or alike
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


def _target_kind(target: Column) -> str:
    if target.content == "numbers":
        return "class" if target.are_few_whole_numbers else "value"
    if has_numbers(target):
        return "value"
    if target.content in ("lists", "series"):
        return "labels"
    return _input_kind(target) if target.content == "text" else "class"


def _are_tags(source: Column, target: Column, kind: str) -> bool:
    """Whether a column has a tag for each step of another one that is read as `kind`: as many as
    steps, few different ones, and not mostly the words themselves, as in a corrected text."""
    numbers_of_tags = source.content == "lists" and target.content == "series"
    if kind not in ("words", "characters") or not (
        target.content in ("text", "lists") or numbers_of_tags
    ):
        return False
    if kind == "characters":
        pairs = [(list(str(one)), _items(other)) for one, other in _pairs(source, target)]
    else:
        pairs = [(_items(one), _items(other)) for one, other in _pairs(source, target)]
    aligned = sum(len(steps) == len(tags) for steps, tags in pairs)
    tags = [tag for _, items in pairs for tag in items]
    repeated = sum(
        len({step.casefold() for step in steps} & {tag.casefold() for tag in items})
        for steps, items in pairs
    )
    few = len(set(tags)) <= len(pairs) and repeated <= COMMON_WORDS * len(tags)
    return aligned >= OF_A_KIND * len(pairs) and few


def _pairs(source: Column, target: Column) -> list[tuple[Any, Any]]:
    return list(zip(source.values, target.values, strict=True))


def _items(value: Any) -> list[str]:
    """The items of a list, or the words of a text."""
    return list(map(str, value)) if isinstance(value, list | tuple) else str(value).split()
