"""Likely mistakes in a file, which raise an error or become notes on its splits."""

import unicodedata
from collections.abc import Sequence
from typing import Any

from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.wording import counted
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.data.splits import Part

SEPARATORS = (";", "|", ",")
"""Separators of several labels in a field."""

_TURKISH = str.maketrans("İı", "ii")
"""Letters whose lowercase or uppercase form is i or I in Turkish."""

_VARIATION_SELECTORS = dict.fromkeys(range(0xFE00, 0xFE10))
"""Invisible characters that choose between forms of the character before them, such as a black
heart and a red one."""

_TAGS = range(0xE0020, 0xE0080)
"""Invisible characters that tell the flags of England and Scotland apart."""

FEW_EXAMPLES = 10
"""Maximum number of examples for which repeated inputs, one-word sentences and many classes are not
reported."""


def check(part: Part, source: Source) -> list[str]:
    """Looks for inputs and targets that are likely mistakes.

    Args:
        part: all examples of a file.
        source: the source that the examples were read from.

    Returns: notes on likely mistakes.

    Raises:
        SeqzooError: nothing can be learned from the examples.
    """
    count = len(part.keys)
    if count > FEW_EXAMPLES and part.distinct() == 1:
        raise SeqzooError(
            f"All {count:,} inputs of {part.name} are equal; is `input` the right column?"
        )
    if source.kind == "words" and source.target_kind == "tags":
        _check_sentences(part, source)
    notes = _check_classes(part, source) if source.target_kind == "class" else []
    if source.target_kind == "labels":
        notes += _single_labels(part, source)
    if source.kind == "series" and source.target_kind != "next":
        notes += _single_steps(part)
    return notes + _labels(part)


def _single_labels(part: Part, source: Source) -> list[str]:
    """A note on labels that contain another separator than the given one."""
    counts = part.label_counts()
    for separator in SEPARATORS:
        found = next((label for label in counts if separator in label), None)
        if found is not None and separator != source.separator:
            if all(len(labels) <= 1 for labels in part.labels or ()):
                return [
                    f"No example of {part.name} has several labels, but a label is {found!r}; is "
                    f"{separator!r} the --separator?"
                ]
    return []


def _single_steps(part: Part) -> list[str]:
    """A note on series that all have one step, as in tables with a row per step."""
    inputs = part.examples.inputs
    if len(inputs) <= FEW_EXAMPLES or any(_steps(item) != 1 for item in inputs):
        return []
    return [
        f"Each of the {len(inputs):,} series of {part.name} has one step. If a series consists of "
        "several rows, name the column that identifies it with --series-column; otherwise put all "
        "of its steps in one field, such as '0.5 0.7 0.9'."
    ]


def _steps(series: Any) -> int:
    """The number of steps of an input, or of the first of several."""
    if isinstance(series, dict):
        series = next(iter(series.values()))
    return len(series) if hasattr(series, "__len__") else 1


def _check_sentences(part: Part, source: Source) -> None:
    inputs = part.examples.inputs
    if len(inputs) > FEW_EXAMPLES and all(len(words) == 1 for words in inputs):
        raise SeqzooError(
            f"Each of the {len(inputs):,} inputs of {part.name} is one word; tags are learned from "
            "sentences. If a column identifies the sentence of each word, name it with "
            "--sentence-column; otherwise put all words of a sentence in one field of "
            f"{source.input!r} and their tags in another, separated by spaces, or write a .conll "
            "file: a word and its tag per line, an empty line between sentences."
        )


def _check_classes(part: Part, source: Source) -> list[str]:
    classes = part.label_counts()
    count, distinct = classes.total(), len(classes)
    if count <= FEW_EXAMPLES or distinct * 2 <= count:
        return []
    target = f" {source.target!r}" if source.target else ""
    if distinct == count:
        numbers = all(map(_is_number, classes))
        advice = "; for numbers choose --target-kind value" if numbers else ""
        raise SeqzooError(
            f"The target{target} of {part.name} has {distinct:,} classes, each with one example, "
            "from which nothing can be learned; name the column of the classes with "
            f"--target{advice}."
        )
    return [
        f"The target{target} has {distinct:,} classes in {count:,} examples, few of which "
        "can be learned; is it the right column?"
    ]


def _labels(part: Part) -> list[str]:
    """Notes on labels that are spelled in several ways, or are in quotation marks."""
    counts = part.label_counts()
    notes = []
    quoted = [label for label in counts if len(label) > 2 and label[0] == label[-1] in "\"'"]
    if quoted and len(quoted) == len(counts):
        notes.append(
            f"The quotes around labels of {part.name}, as in {quoted[0]}, are part of the labels."
        )
    spellings: dict[str, str] = {}
    for label in counts:
        other = spellings.setdefault(spelling(label), label)
        if other != label:
            one, two = shown_spellings([other, label])
            notes.append(
                f"The labels {one} ({counts[other]:,}) and {two} ({counts[label]:,}) count as "
                "different, although they are spelled almost the same."
            )
            break
    return notes


def spelling(label: str) -> str:
    """What labels have in common that differ only in case, spaces, invisible characters, ligatures,
    full-width characters, canonical forms of Unicode, or quotes and full stops at their ends."""
    visible = "".join(
        item
        for item in label.translate(_VARIATION_SELECTORS)
        if unicodedata.category(item) != "Cf" or ord(item) in _TAGS
    )
    composed = unicodedata.normalize("NFC", " ".join(visible.split()))
    folded = unicodedata.normalize("NFC", "".join(map(_folded, composed)))
    key = folded.translate(_TURKISH).casefold().strip("\"' .")
    # Single characters, as in handwriting, may well differ only in case or width.
    return key if min(len(key), len(composed)) > 1 else composed


def _folded(character: str) -> str:
    """A full-width or half-width character in its usual width, or the letters of a ligature; other
    compatibility characters differ: "10²" is not "102"."""
    wide = unicodedata.east_asian_width(character) in "FH"
    ligature = "LIGATURE" in unicodedata.name(character, "")
    return unicodedata.normalize("NFKC", character) if wide or ligature else character


def shown_spellings(labels: Sequence[str]) -> list[str]:
    """Labels in quotes, with escape sequences if they would look the same."""
    visible = [repr(label).translate(_VARIATION_SELECTORS) for label in labels]
    composed = {unicodedata.normalize("NFKC", label) for label in visible}
    return list(map(repr if len(composed) == len(labels) else ascii, labels))


def shape_note(shape: Sequence[int], name: str, *, whole: bool) -> str:
    """A note that says how a two-dimensional array, which is ambiguous, was read.

    Args:
        shape: shape of the array.
        name: name of the array.
        whole: whether it is one series.
    """
    rows, numbers = shape
    if whole:
        return (
            f"{name!r} was read as one series of {rows:,} steps with "
            f"{counted(numbers, 'value')} each (--lines reads {rows:,} series)."
        )
    return (
        f"{name!r} was read as {rows:,} series of {counted(numbers, 'step')} (--whole reads one "
        f"series of {rows:,} steps)."
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text  # Python reads "1_000" as a number
