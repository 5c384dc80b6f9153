"""Checks for columns and texts that leak the label, and for dates out of order."""

import contextlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime

import numpy as np

from seqzoo.zoo.data.source import Source
from seqzoo.zoo.data.splits import Part
from seqzoo.zoo.data_check.columns import Column, is_number
from seqzoo.zoo.finding import Finding

PURE = 0.98
"""Minimum fraction of rows whose target follows from a column to report a leak."""

REPEATED = 2.0
"""Mean number of rows per value below which a column counts as an identifier."""

CORRELATED = 0.999
"""Minimum absolute correlation of a column with the target to report a leak."""

CONTAINING_LABEL = 0.5
"""Minimum fraction of texts that contain their own label to report a leak."""


def leaks(
    parts: Mapping[str, Part], source: Source, columns: Mapping[str, Column]
) -> Iterator[Finding]:
    """Findings on the other columns of a table, on dates, and on labels within inputs."""
    target = columns.get(source.target or "")
    for name, column in columns.items():
        if target is not None and name not in (source.input, source.target, source.split_column):
            yield from _column(column, target)
        if column.content == "dates":
            yield from _dates(column)
    yield from _labels_within(parts["train"])


def _column(column: Column, target: Column) -> Iterator[Finding]:
    rows = [
        (one, other)
        for one, other in zip(column.values, target.values, strict=True)
        if one not in (None, "") and other not in (None, "")
    ]
    if len(rows) < 20:
        return
    advice = "leave it out of the inputs; if it is known at prediction time, no model is needed"
    if column.content == target.content == "numbers":
        pair = np.array([row for row in rows if all(map(is_number, row))], np.float64)
        pair = pair[np.isfinite(pair).all(1)]
        if len(pair) and (pair.std(0) > 0).all() and abs(np.corrcoef(*pair.T)[0][1]) > CORRELATED:
            yield Finding(
                "leaks",
                f"column {column.name!r} is the target {target.name!r} up to scale and offset",
                "note",
                advice,
                {"column": column.name},
            )
        return
    groups: dict[str, Counter[str]] = defaultdict(Counter)
    for one, other in rows:
        groups[str(one)][str(other)] += 1
    classes = Counter(str(other) for _, other in rows)
    baseline = classes.most_common(1)[0][1] / len(rows)
    pure = sum(group.most_common(1)[0][1] for group in groups.values()) / len(rows)
    if len(rows) / len(groups) >= REPEATED and pure >= PURE and baseline < PURE - 0.02:
        yield Finding(
            "leaks",
            f"the target {target.name!r} follows from column {column.name!r} in {pure:.1%} of rows",
            "note",
            advice,
            {"column": column.name, "share": pure},
        )


def _dates(column: Column) -> Iterator[Finding]:
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
    first, last = min(times), max(times)
    yield Finding(
        "dates",
        f"{column.name!r}: from {first} to {last}{''.join('; ' + problem for problem in problems)}",
        "note" if problems else "ok",
        "sort the rows before they are read as one series (--whole)" if backwards else "",
        {"first": str(first), "last": str(last), "backwards": backwards, "repeated": repeated},
    )


def _labels_within(part: Part) -> Iterator[Finding]:
    """Whether texts contain their own labels as words."""
    inputs = part.examples.inputs
    if part.labels is None or not all(isinstance(item, str) for item in list(inputs)[:100]):
        return
    pairs = [
        (set(text.casefold().split()), labels[0].casefold())
        for text, labels in zip(inputs, part.labels, strict=True)
        if len(labels) == 1 and len(labels[0]) > 2
    ]
    if len(pairs) < 20:
        return
    share = sum(label in words for words, label in pairs) / len(pairs)
    if share >= CONTAINING_LABEL:
        yield Finding(
            "leaks",
            f"{share:.0%} of texts contain their own label as a word",
            "note",
            "remove it from the text, or the model will learn nothing else",
            {"share": share},
        )
