"""The kinds of inputs and targets: literal data, read without importing TensorFlow.

A new kind of input needs a subclass of `Features` in a new file and a line in `INPUTS`; the
templates named there, the command line, the documentation and the contract tests then include it.
File readers depend on forms, not kinds: a kind with a new form also needs a reader.
"""

import pkgutil
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from seqzoo.tasks.errors import SeqzooError, nearest

Form = Literal["text", "name", "numbers", "series", "frames", "image", "audio", "history", "static"]
"""The form of an input in memory: a string; a string from a small set; an array of shape (n,);
arrays of shape (time, features), of any numbers or of zeros and ones; uint8 (height, width[,
channels]) or the bytes of an image file; samples, float (time,); a `History`; a number or a name,
which may be missing."""

TimeValues = Literal["timestamps", "elapsed"]
"""The meaning of a series' times: the time of each step, or the time since the previous step."""

MANY_TO_ONE, ONE_TO_MANY = "many-to-one", "one-to-many"
ALIGNED, UNALIGNED = "many-to-many-aligned", "many-to-many-unaligned"
ENCODER_DECODER = "many-to-many-encoder-decoder"
FORECAST = "forecast"
"""Names of the templates."""

SEQUENCES = (MANY_TO_ONE, ENCODER_DECODER)
GENERATED = (ENCODER_DECODER, ONE_TO_MANY, UNALIGNED)


class InputKind(NamedTuple):
    """An input type."""

    location: str
    """The subclass of `Features` that encodes it, "module:Class"."""

    form: Form
    """The form of an input in memory."""

    templates: tuple[str, ...]
    """The templates that take it."""

    summary: str
    """One line that describes a time step."""

    tokens: str = ""
    """The subclass of `Features` for inputs with a prediction per token, if it differs."""

    following: str = ""
    """The subclass of `StepTargets` for predicting the next steps, "module:Class"; empty if they
    cannot be predicted."""


class TargetKind(NamedTuple):
    """The kind of value that a model predicts."""

    location: str
    """The class that encodes targets and decodes predictions, "module:Class"."""

    templates: tuple[str, ...]
    """The templates that can predict it."""

    summary: str
    """One line that describes a target."""


_TEXT = "seqzoo.tasks.preprocessing.text:TextFeatures"
_TOKENS = "seqzoo.tasks.preprocessing.tagged_words:TokenFeatures"
_ROWS = "seqzoo.tasks.preprocessing.image_rows:RowFeatures"
_TEXTS = "seqzoo.tasks.targets.texts:Texts"

INPUTS: dict[str, InputKind] = {
    "characters": InputKind(
        _TEXT,
        "text",
        (*SEQUENCES, ALIGNED, UNALIGNED),
        "One character of a text per step",
        tokens=_TOKENS,
    ),
    "words": InputKind(
        _TEXT, "text", (*SEQUENCES, ALIGNED), "One word of a text per step", tokens=_TOKENS
    ),
    "subwords": InputKind(_TEXT, "text", (*SEQUENCES, ALIGNED), "One subword of a text per step"),
    "lemma": InputKind(
        "seqzoo.tasks.preprocessing.lemmas:LemmaFeatures",
        "text",
        (ENCODER_DECODER,),
        "One morphological feature, or character of a lemma, per step",
    ),
    "rows": InputKind(_ROWS, "image", (*SEQUENCES, UNALIGNED), "One row of an image per step"),
    "columns": InputKind(
        "seqzoo.tasks.preprocessing.image_columns:ColumnFeatures",
        "image",
        (*SEQUENCES, UNALIGNED),
        "One column of an image per step",
    ),
    "pixels": InputKind(_ROWS, "image", SEQUENCES, "One pixel of an image per step"),
    "series": InputKind(
        "seqzoo.tasks.preprocessing.series:SeriesFeatures",
        "series",
        (*SEQUENCES, ALIGNED, UNALIGNED),
        "One or more numbers per step",
        following="seqzoo.tasks.targets.steps:StepValues",
    ),
    "audio": InputKind(
        "seqzoo.tasks.preprocessing.audio:AudioFeatures",
        "audio",
        (*SEQUENCES, UNALIGNED),
        "One frame of a log-mel spectrogram per step",
    ),
    "image": InputKind(
        "seqzoo.tasks.preprocessing.images:ImageFeatures", "image", (ONE_TO_MANY,), "A whole image"
    ),
    "vector": InputKind(
        "seqzoo.tasks.preprocessing.vectors:VectorFeatures",
        "numbers",
        (ONE_TO_MANY,),
        "Numbers without temporal order",
    ),
    "class": InputKind(
        "seqzoo.tasks.preprocessing.class_names:NameFeatures",
        "name",
        (ONE_TO_MANY,),
        "One of a few names",
    ),
    "notes": InputKind(
        "seqzoo.tasks.preprocessing.piano_roll:NoteFeatures",
        "frames",
        (ALIGNED,),
        "Which notes sound, one frame per step",
        tokens="seqzoo.tasks.preprocessing.series:SeriesFeatures",
        following="seqzoo.tasks.targets.steps:StepNotes",
    ),
    "history": InputKind(
        "seqzoo.tasks.preprocessing.histories:HistoryFeatures",
        "history",
        (FORECAST,),
        "One row of a table with dates per step",
    ),
}

STATICS: dict[str, InputKind] = {
    "number": InputKind(
        "seqzoo.tasks.preprocessing.statics:NumberFeatures",
        "static",
        (),
        "A number, which may be missing",
    ),
    "category": InputKind(
        "seqzoo.tasks.preprocessing.statics:CategoryFeatures",
        "static",
        (),
        "One of a set of names, which may be missing",
    ),
    "static": InputKind(
        "seqzoo.tasks.preprocessing.statics:StaticFeatures",
        "static",
        (),
        "A number if all training examples have numbers, otherwise a category",
    ),
}
"""Inputs that can only accompany a sequence."""

TARGETS: dict[str, TargetKind] = {
    "class": TargetKind(
        "seqzoo.tasks.targets.classes:ClassTargets", (MANY_TO_ONE,), "One of a few names"
    ),
    "labels": TargetKind(
        "seqzoo.tasks.targets.labels:LabelTargets", (MANY_TO_ONE,), "Any number of names"
    ),
    "value": TargetKind(
        "seqzoo.tasks.targets.values:ValueTargets", (MANY_TO_ONE,), "One or more numbers"
    ),
    "characters": TargetKind(_TEXTS, GENERATED, "A text, written character by character"),
    "words": TargetKind(_TEXTS, GENERATED, "A text, written word by word"),
    "subwords": TargetKind(_TEXTS, GENERATED, "A text, written subword by subword"),
    "tags": TargetKind("seqzoo.tasks.targets.tags:Tags", (ALIGNED,), "One name per step"),
    "values": TargetKind(
        "seqzoo.tasks.targets.steps:StepValues", (ALIGNED,), "One or more numbers per step"
    ),
    "next": TargetKind(
        "seqzoo.tasks.targets.steps:StepTargets", (ALIGNED,), "The step that comes next"
    ),
    "horizon": TargetKind(
        "seqzoo.tasks.targets.distributions:Distribution", (FORECAST,), "All future steps"
    ),
}

TEXTS = tuple(name for name, kind in INPUTS.items() if kind.form == "text")
"""The input types that are texts."""

FURTHER: dict[str, InputKind] = {
    **{name: kind for name, kind in INPUTS.items() if MANY_TO_ONE in kind.templates},
    "vector": INPUTS["vector"],
    **STATICS,
}
"""The input types that can accompany another input."""


def inputs_of(template: str | None = None) -> Any:
    """The `Literal` of the input types of a template, or of all input types if none is given."""
    return Literal[
        tuple(name for name, kind in INPUTS.items() if template in (None, *kind.templates))
    ]


def targets_of(template: str | None = None) -> Any:
    """The `Literal` of the target types of a template, or of all target types if none is given."""
    return Literal[
        tuple(name for name, kind in TARGETS.items() if template in (None, *kind.templates))
    ]


def check_further_inputs(template: Any) -> None:
    """Checks the further inputs of a template.

    Raises:
        SeqzooError: the type of a further input cannot accompany another input, or the template
            cannot have further inputs.
    """
    further = template.further_inputs
    check_kinds(further)
    if further and template.target == "next":
        raise SeqzooError(
            "`further_inputs` are for all targets but 'next', whose models generate their own "
            "inputs.",
            field="further_inputs",
        )
    for name, kind in further.items():
        if kind == "audio" and not hasattr(template, "sample_rate"):
            raise SeqzooError(
                f"The further input {name!r} cannot be 'audio' in {template.name}; use a template "
                "that reads audio.",
                field="further_inputs",
                got=kind,
            )


def check_kinds(further_inputs: Mapping[str, Any]) -> None:
    """Checks the kind of each further input.

    Raises:
        SeqzooError: the type of a further input cannot accompany another input.
    """
    for name, kind in further_inputs.items():
        if not isinstance(name, str) or not name:
            raise SeqzooError(field="further_inputs", expected="input types by name", got=name)
        if not isinstance(kind, str) or kind not in FURTHER:
            raise SeqzooError(
                f"The further input {name!r} must be one of {', '.join(FURTHER)}, got {kind!r}"
                f"{nearest(str(kind), FURTHER)}",
                field="further_inputs",
                got=kind,
            )


def load(location: str) -> Any:
    """Imports and returns the class at a location "module:Class"."""
    return pkgutil.resolve_name(location)


def features_class(name: str, *, tokens: bool = False) -> Any:
    """The subclass of `Features` for a kind of input.

    Args:
        name: the name of the kind.
        tokens: whether there is a prediction for each token.
    """
    kind = INPUTS[name] if name in INPUTS else STATICS[name]
    return load(tokens and kind.tokens or kind.location)


def targets_class(name: str) -> Any:
    """The class that encodes a kind of target."""
    return load(TARGETS[name].location)
