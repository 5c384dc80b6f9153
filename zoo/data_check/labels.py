"""Checks of targets: how labels are distributed and spelled, and outliers among values."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from seqzoo.tasks.preprocessing.static_numbers import MISSING
from seqzoo.tasks.wording import agreed
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.data.splits import Part
from seqzoo.zoo.data.suspicions import shown_spellings, spelling
from seqzoo.zoo.data_check.outliers import OUTLIER, outliers
from seqzoo.zoo.finding import Finding
from seqzoo.zoo.output import shortened

RARE = 5
"""Number of examples below which a class can hardly be learned."""

DOMINANT = 0.9
"""Fraction of labels in the most frequent class at or above which accuracy says little."""

MAX_NAMED = 5
"""Maximum number of labels that a finding lists."""


def targets(parts: Mapping[str, Part], source: Source) -> Iterator[Finding]:
    """Findings on the targets of all splits."""
    if parts["train"].labels is not None:
        yield from _balance(parts, source)
        yield from _spellings(parts)
        yield from _missing(parts, source)
        yield from _unknown(parts)
        yield from _untested(parts)
    elif source.target_kind == "value":
        yield from _values(parts)


def _balance(parts: Mapping[str, Part], source: Source) -> Iterator[Finding]:
    labels = parts["train"].labels or ()
    counts = Counter(label for item in labels for label in item)
    total = counts.total()
    if not counts:
        return
    shown = ", ".join(
        f"{shortened(label, 20)} {count / total:.1%}"
        for label, count in counts.most_common(MAX_NAMED)
    )
    more = f", {len(counts) - MAX_NAMED:,} more" if len(counts) > MAX_NAMED else ""
    (_, most), *_ = counts.most_common(1)
    several = source.target_kind == "labels"
    share = most / len(labels) if several else most / total
    guess = (
        f"{share:.1%} of the examples have the most frequent one"
        if several
        else f"predicting the most frequent one is correct {share:.1%} of the time"
    )
    unit = "tag" if source.target_kind == "tags" else "label"
    different = f"{len(counts):,} different {unit}s" if len(counts) > 1 else f"only 1 {unit}"
    yield Finding(
        "labels",
        f"{different} among {total:,}: {shown}{more}; {guess}",
        "note" if share >= DOMINANT or len(counts) == 1 else "ok",
        "judge a model by balanced accuracy or macro F1, not by accuracy"
        if share >= DOMINANT
        else "",
        {"counts": dict(counts.most_common()), "baseline": share},
    )
    rare = [label for label, count in counts.items() if count < RARE]
    if rare and len(counts) > 1:
        yield Finding(
            "labels",
            f"{len(rare):,} of {len(counts):,} {agreed(len(rare), 'has', 'have')} fewer than "
            f"{RARE} training examples: {_listed(rare)}",
            "note",
            "collect more examples, or merge rare labels with others",
            {"rare": rare},
        )


def _spellings(parts: Mapping[str, Part]) -> Iterator[Finding]:
    """Labels with the same `spelling`."""
    counts = Counter(
        label for part in parts.values() for item in part.labels or () for label in item
    )
    forms: dict[str, list[str]] = defaultdict(list)
    for label in counts:
        forms[spelling(label)].append(label)
    alike = [form for form in forms.values() if len(form) > 1]
    if alike:
        shown = "; ".join(
            " and ".join(
                f"{shown} ({counts[label]:,})"
                for shown, label in zip(shown_spellings(item), item, strict=True)
            )
            for item in alike[:MAX_NAMED]
        )
        yield Finding(
            "labels",
            f"{len(alike):,} written in several ways: {shown}",
            "note",
            "give each class one name",
            {"spellings": alike},
        )


def _missing(parts: Mapping[str, Part], source: Source) -> Iterator[Finding]:
    """Classes that are named like a missing value."""
    if source.target_kind == "tags":  # such as those of punctuation marks
        return
    counts = Counter(
        label for part in parts.values() for item in part.labels or () for label in item
    )
    names = [name for name in counts if name.strip().lower() in MISSING and name not in ("-", "?")]
    if names:
        shown = ", ".join(f"'{name}' ({counts[name] / counts.total():.1%})" for name in names)
        yield Finding(
            "labels",
            f"{shown} may stand for {agreed(len(names), 'a missing value', 'missing values')}",
            "note",
            "leave such examples out if so",
            {"missing": names},
        )


def _unknown(parts: Mapping[str, Part]) -> Iterator[Finding]:
    known = parts["train"].known()
    for name in ("validation", "test"):
        if name in parts and (unknown := parts[name].unknown(known)):
            part = parts[name]
            label = next(item for item in (part.labels or ())[unknown[0]] if item not in known)
            examples = f"example in {name} has" if len(unknown) == 1 else f"examples in {name} have"
            yield Finding(
                "labels",
                f"{len(unknown):,} {examples} a label that does not occur in "
                f"training, such as {label!r} ({part.examples.location(unknown[0])})",
                "broken",
                "training rejects such examples; move some to training or leave them out",
                {"split": name, "examples": len(unknown)},
            )


def _untested(parts: Mapping[str, Part]) -> Iterator[Finding]:
    counts = parts["train"].label_counts()
    tested = parts["test"].known() if "test" in parts else set(counts)
    lacking = sorted(set(counts) - tested)
    if lacking:
        yield Finding(
            "labels",
            f"{len(lacking):,} of {len(counts):,} {agreed(len(lacking), 'does', 'do')} not occur "
            f"in test: {_listed(lacking)}",
            "note",
            "test scores say nothing about them; move some of their examples to test",
            {"untested": lacking},
        )


def _listed(labels: Sequence[str]) -> str:
    """The first labels, shortened."""
    names = ", ".join(shortened(item, 20) for item in labels[:MAX_NAMED])
    return f"{names}{', ...' if len(labels) > MAX_NAMED else ''}"


def _values(parts: Mapping[str, Part]) -> Iterator[Finding]:
    numbers = np.asarray(parts["train"].examples.targets, np.float64)
    flat = numbers.reshape(len(numbers), -1)
    yield Finding(
        "targets",
        f"{flat.shape[1]} number{'s' * (flat.shape[1] > 1)} between {flat.min():.6g} and "
        f"{flat.max():.6g}, median {np.median(flat):.6g}",
        "note" if flat.min() == flat.max() else "ok",
        "all targets are equal: there is nothing to learn" if flat.min() == flat.max() else "",
        {"minimum": float(flat.min()), "maximum": float(flat.max())},
    )
    far = outliers(flat)
    if far.any():
        row = int(np.argmax(far.any(1)))
        value = flat[row, np.argmax(far[row])]
        count = int(far.any(1).sum())
        yield Finding(
            "targets",
            f"{count:,} of {len(flat):,} {agreed(count, 'is', 'are')} more than {OUTLIER:g} "
            f"interquartile ranges from the median, such as {value:.6g} "
            f"({parts['train'].examples.location(row)})",
            "note",
            "check for mistakes; a squared error is dominated by such values",
            {"examples": count},
        )
