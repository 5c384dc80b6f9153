"""Checks for columns and texts that leak the label, and for dates out of order."""

import contextlib
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from seqzoo.tasks.wording import agreed
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.data.splits import Part
from seqzoo.zoo.data.wide_rows import matching
from seqzoo.zoo.data_check.column import Column, is_number
from seqzoo.zoo.finding import Finding

PURE = 0.98
"""Minimum fraction of rows whose target follows from a column to report a leak."""

REPEATED = 2.0
"""Mean number of rows per value below which a column counts as an identifier."""

CORRELATED = 0.999
"""Minimum absolute correlation of a column with the target to report a leak."""

MAX_NAMED = 5
"""Maximum number of columns that a finding lists."""

CONTAINING_LABEL = 0.5
"""Minimum fraction of texts that contain their own label to report a leak."""


def leaks(
    parts: Mapping[str, Part], source: Source, columns: Mapping[str, Column]
) -> Iterator[Finding]:
    """Findings on the other columns of a table, on dates, and on labels within inputs."""
    target = columns.get(source.target or "")
    if target is not None:
        used = (*matching(source, list(columns)), source.target, source.split_column)
        yield from _leaking(
            [column for name, column in columns.items() if name not in used], target
        )
    for column in columns.values():
        if column.content == "dates":
            yield from _dates(column, in_order=source.whole)
    yield from _labels_within(parts["train"])


def _leaking(columns: Sequence[Column], target: Column) -> Iterator[Finding]:
    """Findings on the columns that give the target away: one for numbers, one for other values."""
    scaled: list[str] = []
    shares: dict[str, float] = {}
    for column in columns:
        rows = [
            (one, other)
            for one, other in zip(column.values, target.values, strict=True)
            if one not in (None, "") and other not in (None, "")
        ]
        if len(rows) < 20:
            continue
        if column.content == target.content == "numbers" and _are_correlated(rows):
            scaled.append(column.name)
        elif (share := _pure_share(rows)) is not None:
            shares[column.name] = share
    if scaled:
        yield _leak(
            f"{listed(scaled)} {agreed(len(scaled), 'is', 'are')} the target {target.name!r} up "
            "to scale and offset",
            scaled,
        )
    if shares:
        yield _leak(
            f"the target {target.name!r} follows from {listed(list(shares))} in "
            f"{'at least ' if len(shares) > 1 else ''}{min(shares.values()):.1%} of rows",
            list(shares),
            shares=shares,
        )


def _leak(message: str, names: list[str], **values: Any) -> Finding:
    it, is_known = ("it", "it is") if len(names) == 1 else ("them", "they are")
    fix = (
        f"leave {it} out of the inputs; if {is_known} known at prediction time, no model is needed"
    )
    return Finding("leaks", message, "note", fix, {"columns": names, **values})


def listed(names: Sequence[str]) -> str:
    """The number of columns and their first names: "2 columns ('a', 'b')"; "column 'a'"."""
    if len(names) == 1:
        return f"column {names[0]!r}"
    more = ", ..." if len(names) > MAX_NAMED else ""
    return f"{len(names):,} columns ({', '.join(map(repr, names[:MAX_NAMED]))}{more})"


def _are_correlated(rows: Sequence[tuple[Any, Any]]) -> bool:
    """Whether the numbers of a column are those of the target up to scale and offset."""
    pair = np.array([row for row in rows if all(map(is_number, row))], np.float64)
    pair = pair[np.isfinite(pair).all(1)]
    if not len(pair) or not (pair.std(0) > 0).all():
        return False
    return bool(abs(np.corrcoef(*pair.T)[0][1]) > CORRELATED)


def _pure_share(rows: Sequence[tuple[Any, Any]]) -> float | None:
    """The fraction of rows whose target follows from a column; None if it does not follow."""
    groups: dict[str, Counter[str]] = defaultdict(Counter)
    for one, other in rows:
        groups[str(one)][str(other)] += 1
    classes = Counter(str(other) for _, other in rows)
    baseline = classes.most_common(1)[0][1] / len(rows)
    pure = sum(group.most_common(1)[0][1] for group in groups.values()) / len(rows)
    follows = len(rows) / len(groups) >= REPEATED and pure >= PURE and baseline < PURE - 0.02
    return pure if follows else None


def _dates(column: Column, *, in_order: bool) -> Iterator[Finding]:
    """Findings on the values of a column of dates and, if rows are read in order as one series, on
    their order."""
    times = []
    for item in column.present:
        # A column of dates may have a few other values, such as "unknown" or 2024-02-31.
        with contextlib.suppress(ValueError):
            times.append(datetime.fromisoformat(str(item).strip()))
    if not times:  # another form of date
        return
    if wrong := len(column.present) - len(times):
        yield Finding("dates", f"{column.name!r}: {wrong:,} of its values are not dates", "note")
    if len({time.tzinfo is None for time in times}) > 1:
        yield Finding("dates", f"{column.name!r}: some have a time zone, others do not", "note")
        return
    first, last = min(times), max(times)
    values: dict[str, Any] = {"first": str(first), "last": str(last)}
    problems = []
    if in_order:
        backwards, repeated, problems = _out_of_order(times)
        values |= {"backwards": backwards, "repeated": repeated}
    yield Finding(
        "dates",
        f"{column.name!r}: from {first} to {last}{''.join('; ' + problem for problem in problems)}",
        "note" if problems else "ok",
        "sort the rows before they are read as one series (--whole)"
        if values.get("backwards")
        else "",
        values,
    )


def _out_of_order(times: Sequence[datetime]) -> tuple[int, int, list[str]]:
    """The number of times that are earlier than the previous one, the number of repeated ones, and
    all problems with their order as parts of a sentence."""
    backwards = sum(later < earlier for earlier, later in zip(times, times[1:], strict=False))
    repeated = len(times) - len(set(times))
    ordered = sorted(set(times))
    steps = Counter(later - earlier for earlier, later in zip(ordered, ordered[1:], strict=False))
    problems = []
    if backwards:
        rows = "rows are" if backwards > 1 else "row is"
        problems.append(f"{backwards:,} {rows} earlier than the previous row")
    if repeated:
        problems.append(f"{repeated:,} duplicate{'s' * (repeated > 1)}")
    if steps:
        usual, count = steps.most_common(1)[0]
        gaps = sum(value for step, value in steps.items() if step > usual)
        if gaps and count > 0.8 * steps.total():
            problems.append(f"{gaps:,} gap{'s' * (gaps > 1)} where the usual step is {usual}")
    return backwards, repeated, problems


def _labels_within(part: Part) -> Iterator[Finding]:
    """Whether texts contain their own labels as words."""
    inputs = part.examples.inputs
    if part.labels is None or not all(isinstance(item, str) for item in list(inputs)[:100]):
        return
    pairs = [
        (_words(text), _words(labels[0]))
        for text, labels in zip(inputs, part.labels, strict=True)
        if len(labels) == 1
    ]
    pairs = [(text, label) for text, label in pairs if len(label.strip()) > 2]
    if len(pairs) < 20:
        return
    share = sum(label in text for text, label in pairs) / len(pairs)
    if share >= CONTAINING_LABEL:
        yield Finding(
            "leaks",
            f"{share:.0%} of texts contain their own label as a word",
            "note",
            "remove it from the text, or the model will learn nothing else",
            {"share": share},
        )


def _words(text: str) -> str:
    """The words of a text without punctuation and regard to case, with a space on either side."""
    marks = {ord(item): " " for item in set(text) if unicodedata.category(item).startswith("P")}
    return f" {' '.join(text.casefold().translate(marks).split())} "
