"""Checks the inputs: characters and encodings of texts, values of series."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from seqzoo.tasks.data.examples import is_missing
from seqzoo.tasks.kinds import INPUTS, TEXTS
from seqzoo.tasks.wording import agreed, counted
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.data.splits import Part, input_key
from seqzoo.zoo.data_check.column import is_number
from seqzoo.zoo.data_check.dated_columns import OF_A_KIND
from seqzoo.zoo.data_check.outliers import OUTLIER, outliers
from seqzoo.zoo.finding import Finding
from seqzoo.zoo.output import shortened

MARKUP = re.compile(
    r"<(?:br|p|div|span|a|b|i)\b[^>]*>|&(?:amp|lt|gt|quot|nbsp|#\d+);", re.IGNORECASE
)

MOJIBAKE = re.compile("[\u00c2\u00c3][\u0080-\u00bf]|\u00e2[\u20ac\u0080]|\u00f0[\u0178\u009f]")
"""Accents, punctuation and emoji in UTF-8 that was decoded as Latin-1 or Windows-1252 and saved
again."""

ENCODINGS = ("cp1252", "cp1250", "cp1251")
"""Other encodings as which UTF-8 is often decoded."""

MISREAD = 3
"""Minimum number of characters in UTF-8 that a text must have to be UTF-8 decoded as another
encoding: real texts have one by chance, as a capital before a quotation mark."""

ESCAPES = {byte: 0xDC00 + byte for byte in range(0x80, 0xA0)}
"""Control characters, as which bytes without a character are decoded -> their "surrogateescape"."""

CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

SCALE_RATIO = 1_000.0
"""Ratio of the standard deviations of two features above which the difference is reported."""


def contents(parts: Mapping[str, Part], source: Source) -> Iterator[Finding]:
    """Findings on the training inputs."""
    form = INPUTS[source.kind].form
    part = parts["train"]
    if source.further_inputs:
        rows = list(part.examples.inputs)
        for name in source.further_inputs:
            yield _further(name, source.further_inputs[name], [row[name] for row in rows])
        first = [row[source.input] for row in rows]
        part = replace(part, examples=replace(part.examples, inputs=first))
    if form in ("text", "name"):
        yield from _texts(part, source)
    elif form == "series":
        yield from _series(part)
    elif form == "numbers":
        yield from _features(np.asarray(part.examples.inputs, np.float64), part, "example")


def _further(name: str, kind: str, values: Sequence[Any]) -> Finding:
    """A finding on a further input: the numbers of missing and distinct values, and whether a few
    values that are not numbers turn a column into categories."""
    known = [
        value for value in values if not is_missing(value) and not (value == "" and kind in TEXTS)
    ]
    missing = len(values) - len(known)
    keys = {input_key(item) for item in known}
    fix = "leave it out, since it carries no information" if len(keys) < 2 else ""
    if kind == "static":
        wrong = [item for item in known if not is_number(item)]
        if 0 < len(wrong) <= (1 - OF_A_KIND) * len(known):
            fix = (
                f"values that are not numbers ({len(wrong):,}, such as {wrong[0]!r}) turn all into "
                f"categories; correct them, or choose --further-input {name}=category"
            )
    return Finding(
        "further inputs",
        f"{name!r}: {counted(len(keys), 'distinct value')}, {missing:,} of {len(values):,} missing",
        "note" if fix else "ok",
        fix,
        {"input": name, "different": len(keys), "missing": missing},
    )


def _texts(part: Part, source: Source) -> Iterator[Finding]:
    texts = [item if isinstance(item, str) else " ".join(item) for item in part.examples.inputs]
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text)
    scripts: Counter[str] = Counter()
    for character, count in counts.items():
        if character.isalpha():
            scripts[_script(character)] += count
    total = max(scripts.total(), 1)
    shown = ", ".join(f"{name} {count / total:.1%}" for name, count in scripts.most_common(4))
    yield Finding(
        "characters",
        f"{len(counts):,} distinct; {shown or 'no letters'}",
        values={"characters": len(counts), "scripts": dict(scripts.most_common())},
    )
    tests = {
        "replacement characters (U+FFFD)": (
            lambda text: "\ufffd" in text,
            "open the original file with its own encoding and save it as UTF-8",
        ),
        "UTF-8 decoded as another encoding, such as Ã©": (
            is_misread,
            "open the original file as UTF-8",
        ),
        "control characters": (
            lambda text: CONTROL.search(text) is not None,
            "delete them",
        ),
        "markup, such as <br> or &amp;": (
            lambda text: MARKUP.search(text) is not None,
            "delete it unless it carries information about the target",
        ),
    }
    for what, (test, fix) in tests.items():
        results = [index for index, text in enumerate(texts) if test(text)]
        if results:
            yield Finding(
                "characters",
                f"{len(results):,} of {len(texts):,} texts "
                f"{agreed(len(results), 'contains', 'contain')} {what} "
                f"({part.examples.location(results[0])}: {shortened(texts[results[0]], 40)})",
                "note",
                fix,
                {"texts": len(results)},
            )
    decomposed = sum(not unicodedata.is_normalized("NFC", text) for text in texts)
    if decomposed:
        yield Finding(
            "characters",
            f"{decomposed:,} of {len(texts):,} texts {agreed(decomposed, 'is', 'are')} not in "
            "Unicode's composed form",
            "note",
            "--nfc reads é as one character however it was typed",
            {"texts": decomposed},
        )


def is_misread(text: str) -> bool:
    """Whether a text has parts in UTF-8 that were decoded as another encoding."""
    if text.isascii():
        return False
    if MOJIBAKE.search(text):
        return True
    parts = re.findall(r"[^\0-\x7f]+", text)
    for encoding in ENCODINGS:
        counts = [_spelled(part, encoding) for part in parts]
        if max(counts) >= MISREAD or (all(counts) and sum(counts) >= MISREAD):
            return True
    return False


def _spelled(part: str, encoding: str) -> int:
    """The number of characters in UTF-8 that were decoded as a part of a text; 0 if it is not
    UTF-8."""
    try:
        return len(part.translate(ESCAPES).encode(encoding, "surrogateescape").decode("utf-8"))
    except UnicodeError:
        return 0


def _script(character: str) -> str:
    """The script of a letter, such as "Latin": the first word of the Unicode name of its plain
    form, which that of "º" is not."""
    plain = unicodedata.normalize("NFKC", character)[0]
    name = unicodedata.name(plain, "unnamed").partition(" ")[0].capitalize()
    others = {"Cjk": "Han", "Ideographic": "Han", "Katakana-hiragana": "Katakana"}
    return {**others, "Modifier": "Latin"}.get(name, name)


def _series(part: Part) -> Iterator[Finding]:
    series: Sequence[Any] = [
        np.asarray(getattr(item, "values", item), np.float64).reshape(len(item), -1)
        for item in part.examples.inputs
    ]
    yield from _features(np.concatenate(series), part, "step")
    flat = [index for index, item in enumerate(series) if len(item) > 1 and (item == item[0]).all()]
    if flat:
        yield Finding(
            "numbers",
            f"{len(flat):,} of {len(series):,} series {agreed(len(flat), 'is', 'are')} constant "
            f"({part.examples.location(flat[0])})",
            "note",
            "check how they were recorded",
            {"series": len(flat)},
        )


def _features(numbers: np.ndarray, part: Part, unit: str) -> Iterator[Finding]:
    """Findings on values of shape (rows, features), a row per `unit`."""
    deviations = numbers.std(axis=0)
    yield Finding(
        "numbers",
        f"{numbers.shape[1]} per {unit}, between {numbers.min():.6g} and {numbers.max():.6g}",
        values={"minimum": numbers.min(0).tolist(), "maximum": numbers.max(0).tolist()},
    )
    constant = np.flatnonzero(deviations == 0)
    if len(constant) and len(numbers) > 1:
        yield Finding(
            "numbers",
            f"{len(constant)} of {numbers.shape[1]} features {agreed(len(constant), 'is', 'are')} "
            f"constant ({agreed(len(constant), 'position', 'positions')}: "
            f"{', '.join(str(item + 1) for item in constant[:5])})",
            "note",
            "leave them out",
            {"features": constant.tolist()},
        )
    far = outliers(numbers)
    if far.any():
        feature = int(np.argmax(far.sum(0)))
        extreme = numbers[far[:, feature], feature]
        yield Finding(
            "numbers",
            f"{int(far.sum()):,} of {numbers.size:,} numbers {agreed(far.sum(), 'is', 'are')} more "
            f"than {OUTLIER:g} interquartile ranges from the median, such as "
            f"{extreme[np.argmax(np.abs(extreme))]:.6g} in feature {feature + 1}",
            "note",
            "look for recording errors, or for codes for missing values such as -999",
            {"numbers": int(far.sum())},
        )
    moving = deviations[deviations > 0]
    if len(moving) and moving.max() / moving.min() > SCALE_RATIO:
        yield Finding(
            "numbers",
            f"features differ in scale by a factor of {moving.max() / moving.min():,.0f}",
            "ok",
            "templates standardise them",
        )
