"""Checks of encoded examples: lengths in steps, and unknown tokens in held-out splits."""

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from seqzoo.tasks import TEMPLATES
from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.kinds import INPUTS, TARGETS, TEXTS
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.data.splits import Part
from seqzoo.zoo.finding import Finding

MAX_EXAMPLES = 20_000
"""Maximum number of examples of a split that are encoded, which is enough for the statistics."""

INDEPENDENT = ("class", "labels", "value", "next")
"""Targets that fit any input."""

LONG_TAIL = 4.0
"""Minimum ratio of the maximum to the 99th percentile of lengths to suggest truncation."""

UNKNOWN_RATE = 0.05
"""Fraction of unknown tokens in a held-out split above which the finding is a note."""


def template_of(source: Source) -> Any:
    """The template for the kinds of a source, with its default options.

    Raises:
        SeqzooError: no template takes both kinds.
    """
    for name in TARGETS[source.target_kind].templates:
        if name in INPUTS[source.kind].templates:
            options: dict[str, Any] = {"input": source.kind, "target": source.target_kind}
            if source.further_inputs:
                options["further_inputs"] = dict(source.further_inputs)
            if source.kind == "audio" and source.sample_rate is not None:
                options["sample_rate"] = source.sample_rate
            if source.time_column is not None:
                options["cell"] = "cfc"  # a time-aware cell
            return TEMPLATES[name](**options)
    raise SeqzooError(
        f"No template predicts {source.target_kind!r} from {source.kind!r}.", field="target_kind"
    )


def image_size(parts: Mapping[str, Part], template: Any) -> tuple[Any, list[Finding]]:
    """The template, and a note if it reads images and they have several sizes: then it resizes them
    to the most frequent one."""
    if template.input not in ("rows", "pixels") or getattr(template, "further_inputs", None):
        return template, []
    sizes = Counter(
        np.shape(image)[:2] for part in parts.values() for image in part.examples.inputs
    )
    if len(sizes) < 2 or not hasattr(template, "image_size"):
        return template, []
    ((height, width), count), *_ = sizes.most_common(1)
    finding = Finding(
        "images",
        f"{len(sizes):,} different sizes; the most frequent one is {height} x {width}, "
        f"{count / sizes.total():.1%} of the images",
        "note",
        f"train with --image-size {height},{width}, which resizes all of them, or choose another",
        {"sizes": len(sizes), "height": height, "width": width},
    )
    return dataclasses.replace(template, image_size=(height, width)), [finding]


def encoded(parts: Mapping[str, Part], task: Any) -> Iterator[Finding]:
    """Findings on targets that do not fit their inputs, lengths and unknown tokens.

    Args:
        parts: the splits.
        task: the template, adapted to the training examples.
    """
    from seqzoo.tasks.preprocessing.vocabulary import UNKNOWN

    kind = task.template.input
    yield from _rejected(parts, task)
    for remark in task.features.remarks:
        yield Finding("inputs", remark.removesuffix("."), "note")
    sequences = {name: task.features.encode(_some(part)) for name, part in parts.items()}
    if kind in ("image", "vector", "class"):
        return
    yield _lengths(sequences["train"].lengths, kind, task.template)
    if kind not in TEXTS:
        return
    shares = {
        name: float((sequences[name].flat == UNKNOWN).mean())
        for name in ("validation", "test")
        if name in sequences and sequences[name].flat.ndim == 1
    }
    if shares:
        many = max(shares.values()) > UNKNOWN_RATE
        size = len(task.vocabularies["vocabulary"])
        unknown = [f"{share:.2%} in {name}" for name, share in shares.items()]
        unknown[0] = unknown[0].replace(" in ", f" of the {_unit(kind)} in ", 1)
        yield Finding(
            "vocabulary",
            f"{' and '.join(unknown)} are not in the training vocabulary of {size:,}",
            "note" if many else "ok",
            _advice(kind) if many else "",
            {"shares": shares},
        )


def _rejected(parts: Mapping[str, Part], task: Any) -> Iterator[Finding]:
    """The first target of each split that training would reject because of its input, such as tags
    of which there are more than steps. Unknown labels are reported elsewhere."""
    if task.template.target in INDEPENDENT:
        return
    known = parts["train"].known() if parts["train"].labels is not None else set()
    for part in parts.values():
        if part.examples.targets is None or (part.labels is not None and part.unknown(known)):
            continue
        examples = part.examples
        if len(examples) > MAX_EXAMPLES:
            examples = examples.pick(examples.spread(MAX_EXAMPLES))
        try:
            task.data(examples)
        except SeqzooError as error:
            yield Finding("targets", str(error).removesuffix("."), "broken")


def _advice(kind: str) -> str:
    if kind == "words":
        return "--kind subwords or characters avoids unknown words; --ngrams and --characters help"
    return "check the encoding and the scripts of the splits"


def _some(part: Part) -> Examples:
    """The examples of a split without their targets; evenly spaced ones if there are many."""
    examples = replace(part.examples, targets=None)
    return (
        examples.pick(examples.spread(MAX_EXAMPLES)) if len(examples) > MAX_EXAMPLES else examples
    )


def _unit(kind: str) -> str:
    """The unit of length for a kind of input; the steps of a lemma are characters and features."""
    return kind if kind in TEXTS and kind != "lemma" else "steps"


def _lengths(lengths: np.ndarray, kind: str, template: Any) -> Finding:
    minimum, median, maximum = int(lengths.min()), int(np.median(lengths)), int(lengths.max())
    high = int(np.percentile(lengths, 99))
    unit = _unit(kind)
    fix = ""
    options = [field.name for field in dataclasses.fields(template)]
    if maximum > LONG_TAIL * high and "maximum_length" in options:
        cut = float((lengths > high).mean())
        fix = f"--maximum-length {high} would truncate {cut:.1%} of the inputs and shorten batches"
    return Finding(
        "lengths",
        f"{minimum:,} to {maximum:,} {unit}, median {median:,}, 99% have at most {high:,}",
        "note" if fix else "ok",
        fix,
        {"minimum": minimum, "median": median, "percentile_99": high, "maximum": maximum},
    )
