"""Checks that the learned state in a run's config.json is valid and fits the model."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from seqzoo.tasks.data.cache import digest_of
from seqzoo.tasks.fields import MAX_COUNT
from seqzoo.tasks.preprocessing.histories import CYCLES

SHAPES = "weight_shapes"
"""Key of the digest of the weights' shapes in config.json."""


def check_learned(part: Any) -> None:
    """Checks the state of features and targets, nested parts included.

    Args:
        part: the result of `Task.to_config`, as read from the file, or a part of it.

    Raises:
        ValueError: a name, a mean, a scale or a length is not valid.
    """
    if isinstance(part, list):
        for item in part:
            if isinstance(item, Mapping):
                check_learned(item)
        return
    if not isinstance(part, Mapping):
        raise ValueError(f"an object was expected, got {_shown(part)}")
    for name in ("names", "series"):
        if name in part:
            _check_names(name, part[name])
    for name in ("mean", "scale", "past", "known", "time_unit"):
        if name in part:
            _check_numbers(name, part[name])
    if "mean" in part and (
        "scale" not in part or np.shape(part["mean"]) != np.shape(part["scale"])
    ):
        raise ValueError("`mean` and `scale` must have the same shape")
    if "series" in part and np.ndim(part["mean"]) != 2:
        raise ValueError("`mean` must have a row for each series")
    if "series" in part and len(part["mean"]) < len(part["series"]):
        raise ValueError(f"`mean` must have a row for each of {len(part['series'])} series")
    if not set(part.get("cycles", ())) <= set(CYCLES):
        got = _shown(part["cycles"])
        raise ValueError(f"`cycles` must be among {', '.join(CYCLES)}, got {got}")
    longest = part.get("longest", 0)
    if not isinstance(longest, int) or not 0 <= longest <= MAX_COUNT:
        raise ValueError(
            f"`longest` must be a whole number up to {MAX_COUNT}, got {_shown(longest)}"
        )
    for item in part.values():
        if isinstance(item, Mapping | list):
            check_learned(item)


def shapes_digest(model: Any) -> str:
    """A digest of the shapes of a model's weights, whatever their order is."""
    return digest_of(sorted(list(weight.shape) for weight in model.weights))


def check_model(task: Any, model: Any, shapes: str | None = None) -> None:
    """Checks that the inputs and outputs of a model fit a task, and that its weights have the
    shapes of those that were trained.

    Args:
        task: the task.
        model: the model.
        shapes: the digest of the weights' shapes; None in runs that were written without one.

    Raises:
        ValueError: the model has different inputs, outputs or shapes.
    """
    _check_inputs_and_outputs(task, model)
    if shapes is not None and shapes != shapes_digest(model):
        raise ValueError("its weights have other shapes")


def _check_inputs_and_outputs(task: Any, model: Any) -> None:
    inputs = getattr(model, "input", None)
    if isinstance(inputs, dict) and {"values", "lengths"} <= inputs.keys():
        expected, got = tuple(task.features.step[0]), tuple(inputs["values"].shape[2:])
        if expected != got:
            raise ValueError(f"it takes steps of shape {got}, not {expected}")
    targets = getattr(task, "tags", None) or getattr(task, "targets", None)
    names = getattr(targets, "names", None)
    if names is None:
        if hasattr(task, "texts") and isinstance(inputs, dict):
            raise ValueError("it does not generate text")
        return
    if not isinstance(inputs, dict):
        raise ValueError("it generates text")
    if model.output_shape[-1] != len(names):
        raise ValueError(f"it has {model.output_shape[-1]} outputs, not {len(names)}")


def _check_names(field: str, names: Any) -> None:
    try:
        valid = isinstance(names, list) and bool(names)
        valid = valid and all(isinstance(name, str) for name in names)
        if valid:
            "".join(names).encode("utf-8")
    except UnicodeEncodeError:  # an unpaired surrogate
        valid = False
    if not valid:
        raise ValueError(f"`{field}` must be a list of strings, got {_shown(names)}")


def _check_numbers(field: str, numbers: Any) -> None:
    try:
        array = np.asarray(numbers)
        valid = array.dtype.kind in "if" and bool(np.isfinite(array.astype(np.float32)).all())
    except (ValueError, TypeError, OverflowError):  # a ragged list, or not a list of numbers
        valid = False
    else:
        valid = valid or not array.size
        valid = valid and bool(array.size or field in ("past", "known"))
        if field in ("past", "known") and array.size:
            valid = valid and array.ndim == 2 and array.shape[1] == 2
        if field == "scale":
            valid = valid and bool((array != 0).all())
    if not valid:
        raise ValueError(f"`{field}` must be finite numbers, got {_shown(numbers)}")


def _shown(value: Any) -> str:
    return ascii(value)[:40]
