"""The formats that a trained model is exported to: literal data, which help and completion read
without importing TensorFlow."""

import glob
import importlib
import importlib.util
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from seqzoo.tasks.atomic_files import creating
from seqzoo.tasks.base import Prediction, PredictionOptions
from seqzoo.tasks.errors import SeqzooError, nearest, not_importable
from seqzoo.tasks.fields import as_python, checked_count
from seqzoo.tasks.kinds import FORECAST


class Format(NamedTuple):
    """An export format."""

    location: str
    """Module and function, "module:function": (`Export`, folder) -> None."""

    summary: str
    """A one-line description."""

    precisions: tuple[str, ...] = ("float32",)
    """Precisions of the weights; the first one is the default."""

    extra: str = ""
    """The extra of this package that it needs; empty for none."""

    modules: tuple[str, ...] = ()
    """The modules that this extra provides."""


FORMATS: dict[str, Format] = {
    "saved-model": Format(
        "seqzoo.tasks.export.saved_model:write",
        "TensorFlow SavedModel: raw inputs in, predictions out, for TensorFlow and TensorFlow "
        "Serving",
    ),
    "onnx": Format(
        "seqzoo.tasks.export.onnx_model:write",
        "ONNX files for onnxruntime, with a plain Python file for text and decoding",
        ("float32", "int8"),
        "onnx",
        ("onnx", "onnxruntime"),
    ),
    "litert": Format(
        "seqzoo.tasks.export.litert_model:write",
        "LiteRT files that use only built-in operations, with a plain Python file for text and "
        "decoding",
        ("float32", "float16", "int8", "full-int8"),
        "litert",
        ("ai_edge_litert",),
    ),
    "keras": Format(
        "seqzoo.tasks.export.keras_model:write",
        "Keras file with Keras' own LSTM, GRU and SimpleRNN layers, for training without seqzoo",
    ),
}


SIGNATURES: dict[str, str] = {
    "explain": "attention of each generated token",
    "serving_compiled": "XLA-compiled loops, for batches of 32 or more",
}
"""Signatures that a SavedModel gets on request, which make it slower to load."""


SEARCHED = ("student-t", "negative-binomial")
"""Distributions whose quantiles are found by a search, with functions that only TensorFlow has."""


@dataclass(frozen=True)
class Export:
    """A model to export, with the options of the export.

    Attributes:
        task: the task of the model.
        model: the trained model.
        options: the options of the predictions.
        predict: (raw inputs, options) -> the predictions of the model in Python.
        examples: raw inputs that the export is tested on; empty for random ones.
        precision: the precision of the weights.
        steps: number of time steps of an input, for runtimes that need it fixed; None for any.
        check: whether to load the export in a separate process and compare it with the model.
        signatures: additional signatures of a SavedModel: "explain", "serving_compiled".
    """

    task: Any
    model: Any
    options: PredictionOptions
    predict: Callable[[Any, PredictionOptions], list[Prediction]]
    examples: Sequence[Any] = ()
    precision: str = "float32"
    steps: int | None = None
    check: bool = True
    signatures: tuple[str, ...] = ()

    def __post_init__(self):
        object.__setattr__(self, "steps", as_python(self.steps))


def export(
    wanted: Export, folder: str | os.PathLike[str], format: str = "saved-model"
) -> dict[str, Any]:
    """Writes a model in one of `FORMATS`; an export that fails leaves nothing behind.

    Args:
        wanted: the model to export, with the options of the export.
        folder: the folder to write; it must not exist, or must be empty.
        format: key of `FORMATS`.

    Returns:
        "format"; "folder"; "files", the size of each file in bytes, by name; and, if the export was
        checked, "difference", the largest difference from the model in Python, relative to the
        largest result.

    Raises:
        SeqzooError: there is no such format, the model cannot be written in it, an extra is not
            installed, the folder is not empty, or the results of the export differ from those of
            the model.
    """
    chosen = _checked(wanted, format)
    if format == "saved-model" and glob.has_magic(str(folder)):
        raise SeqzooError(
            "TensorFlow cannot load a SavedModel from a path that contains *, ? or [, got "
            f"{folder}; name another folder."
        )
    module, _, name = chosen.location.partition(":")
    with creating(folder) as temporary:
        difference = getattr(importlib.import_module(module), name)(wanted, temporary)
        files = {
            path.relative_to(temporary).as_posix(): path.stat().st_size
            for path in sorted(temporary.rglob("*"))
            if path.is_file()
        }
    return {"format": format, "folder": pathlib.Path(folder), "files": files} | (
        {} if difference is None else {"difference": difference}
    )


def check_choices(
    format: str, precision: str, steps: int | None, signatures: Sequence[str]
) -> Format:
    """Checks that a format exists and supports the choices; returns it.

    Args:
        format: key of `FORMATS`.
        precision: see `Export`.
        steps: see `Export`.
        signatures: see `Export`.

    Raises:
        SeqzooError: the format does not exist, or does not support one of the choices.
    """
    if format not in FORMATS:
        known = ", ".join(FORMATS)
        raise SeqzooError(
            f"`format` must be one of {known}, got {format!r}{nearest(format, FORMATS)}"
        )
    chosen = FORMATS[format]
    if precision not in chosen.precisions:
        raise SeqzooError(
            f"`precision` must be {' or '.join(chosen.precisions)} for {format}, got "
            f"{precision!r}.",
            field="precision",
        )
    if steps is not None:
        checked_count("steps", steps)
    if steps is not None and format != "litert":
        raise SeqzooError(
            f"`steps` fixes the length of inputs only for litert; {format} accepts any length.",
            field="steps",
        )
    for name in signatures:
        if format != "saved-model":
            raise SeqzooError(
                f"{name!r} is a signature of a saved-model; {format} has none.", field="signatures"
            )
        if name not in SIGNATURES:
            raise SeqzooError(
                f"`signatures` may contain {' and '.join(SIGNATURES)}, got {name!r}"
                f"{nearest(name, SIGNATURES)}",
                field="signatures",
            )
    return chosen


def check_installed(format: str) -> None:
    """Checks that the extra of a format is installed.

    Raises:
        SeqzooError: a module of the extra is missing.
    """
    chosen = FORMATS[format]
    missing = [name for name in chosen.modules if importlib.util.find_spec(name) is None]
    if missing:
        raise not_importable(f"The format {format}", missing, chosen.extra)


def _checked(wanted: Export, format: str) -> Format:
    """Checks that a format exists, supports the choices, can represent the model, and can be
    written here; returns it.

    Raises:
        SeqzooError: see `check_choices` and `check_installed`, or the format cannot represent the
            model.
    """
    chosen = check_choices(format, wanted.precision, wanted.steps, wanted.signatures)
    if format != "saved-model":
        for model in _only_as_saved_model(wanted.task):
            raise SeqzooError(
                f"`format` must be saved-model for {model}, got {format!r}.", field="format"
            )
        if wanted.task.template.name == FORECAST and format == "keras":
            raise SeqzooError(
                f"`format` must be saved-model, onnx or litert for the `{FORECAST}` template, got "
                f"{format!r}.",
                field="format",
            )
    check_installed(format)
    return chosen


def _only_as_saved_model(task: Any) -> Iterator[str]:
    """Yields a description of each property of a task that only a saved-model can represent."""
    template = task.template
    if getattr(template, "distribution", None) in SEARCHED:
        yield f"the distribution {template.distribution!r}, whose quantiles have no closed form"
    if getattr(template, "further_inputs", None):
        yield "models with further inputs"
    if getattr(template, "backward", False):
        yield "language models that read backward"
    if getattr(template, "features_from", None):
        yield (
            "taggers with `features_from`, whose language models read the characters of whole "
            "sentences"
        )
    if getattr(task, "copies", False):
        yield "models that copy from their input"
    if getattr(template, "attention", None) == "monotonic":
        yield "models with attention 'monotonic'"
    if task.features.takes_time:
        yield f"the cell {template.cell!r}, which reads the time between steps"
