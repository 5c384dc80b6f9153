"""Examples from .npz files: arrays of equal lengths, padded ones with lengths, and joined ones."""

import pathlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.settings import TEXTS
from seqzoo.zoo.data import fields, suspicions
from seqzoo.zoo.data.npz import Array, Arrays
from seqzoo.zoo.data.sound import resampled
from seqzoo.zoo.data.source import ARRAYS, Source
from seqzoo.zoo.data.splits import Part, input_key

IN_TIME = ("series", "notes", "audio")
"""Kinds of inputs whose steps an array holds one after the other."""

STEPWISE = ("tags", "values")
"""Target types with a target at each step."""

INPUTS = ("inputs", "values")
TARGETS = ("targets",)
SAMPLE_RATE = "sample_rate"


def read_arrays(path: pathlib.Path, source: Source) -> tuple[Part, int | None]:
    """Reads all examples of a file.

    Sequences in time are (n, time) or (n, time, features), where shorter ones end at their
    "lengths", (n,); or (all steps,) or (all steps, features), one after the other, with "lengths"
    too. Without these, (time,) is one sequence, and so is (time, features) of notes, and of series
    where `source.whole` or targets at each step of shape (time,) say so.

    Returns: the examples, and the sample rate of sound.

    Raises:
        SeqzooError: the file cannot be read, or an array has the wrong dtype or shape; the message
            names the array and the example, counted from 0.
    """
    with Arrays(path) as arrays:
        return _read(arrays, source)


def read_inputs(path: pathlib.Path, source: Source, *, width: int) -> tuple[Any, int | None]:
    """Reads only the inputs of a file, as `read_arrays` does, without targets.

    Args:
        path: the file.
        source: the description of the inputs.
        width: numbers per step of a series; if several, (time, width) is one sequence.

    Returns: the inputs, and the sample rate of sound.

    Raises:
        SeqzooError: as `read_arrays`.
    """
    with Arrays(path) as arrays:
        array = arrays.find(source.input, "input", INPUTS)
        # The second axis is interpreted as in training.
        one = width > 1 or array.values.shape[1:] == (1,)
        if source.kind == "series":
            source = replace(source, whole=False)
            ends = array.values.shape[array.values.ndim - 1] if array.values.ndim > 1 else 1
            if array.values.ndim and width > 1 and ends != width:
                raise array.unfit(f"have {width} numbers a step, as in training")
        return _inputs(arrays, array, source, one=one)


def _read(arrays: Arrays, source: Source) -> tuple[Part, int | None]:
    path = arrays.path
    array = arrays.find(source.input, "input", INPUTS)
    kind, target = source.target_kind, None
    if kind != "next":
        target = arrays.find(source.target, "target", TARGETS)
    one = target is not None and kind in STEPWISE and target.values.ndim == 1
    inputs, sample_rate = _inputs(arrays, array, source, one=one)
    targets, labels = None, None
    if target is not None:
        targets, labels = _targets(target, source, inputs)
        if len(targets) != len(inputs):
            raise SeqzooError(
                f"{path}: {array.name!r} holds {_count(inputs)}, but {target.name!r} "
                f"{_count(targets)}."
            )
    splits = None
    if source.split_column is not None:
        own = arrays.find(source.split_column, "split_column", ())
        splits = _classes(own)
        if len(splits) != len(inputs):
            raise own.unfit(f"name a split for each of {_count(inputs)}")
    examples = Examples(inputs, targets, range(len(inputs)), unit="example")
    keys = [input_key(value) for value in inputs]
    notes: tuple[str, ...] = ()
    ambiguous = source.kind == "series" and kind == "next" and array.values.ndim == 2
    if ambiguous and arrays.lengths(array.name) is None:
        notes = (suspicions.shape_of(array.values.shape, array.name, whole=len(inputs) == 1),)
    return Part(str(path), examples, keys, labels, splits, notes), sample_rate


def is_in_time(source: Source) -> bool:
    """Whether an .npz file's inputs have steps in time and an answer at each, so that a single one
    can be held out in parts."""
    stepwise = source.target_kind in (*STEPWISE, "next")
    return source.suffix == ARRAYS and source.kind in IN_TIME and stepwise


def _inputs(arrays: Arrays, array: Array, source: Source, *, one: bool) -> tuple[Any, int | None]:
    """The inputs in an array, and the sample rate of sound."""
    if source.kind not in IN_TIME:
        return _things(array, source), source.sample_rate
    one = one or source.whole or source.kind == "notes"
    inputs = _sequences(array, arrays.lengths(array.name), source.kind, one=one)
    if source.kind != "audio":
        return inputs, source.sample_rate
    sounds, rate = _sounds(array, inputs), source.sample_rate
    if rate is None or SAMPLE_RATE in arrays.names:
        own = _whole(arrays.find(None, SAMPLE_RATE, (SAMPLE_RATE,)))
        if rate not in (None, own) and not source.resample:
            raise SeqzooError(
                f"{arrays.path} has {own:,} samples a second, where {rate:,} should be; --resample "
                "brings all sound to one rate."
            )
        rate = rate or own
        sounds = [resampled(samples, own, rate) for samples in sounds]
    return sounds, rate


def _sequences(array: Array, lengths: Array | None, kind: str, *, one: bool) -> list[np.ndarray]:
    """Sequences of numbers, float32, (time,) or (time, features)."""
    values = array.numbers()
    most = 2 if kind == "audio" else 3
    if not 1 <= values.ndim <= most or not values.size:
        shapes = ("(time,)", "(n, time)", "(n, time, features)")[:most]
        raise array.unfit(f"have shape {' or '.join(shapes)} and hold something")
    if lengths is not None:
        sequences = array.cut(lengths.values, values, f"{lengths.name!r}")
    elif values.ndim == 1 or (values.ndim == 2 and one and kind != "audio"):
        sequences = [values]
    else:
        sequences = list(values)
    return array.finite(sequences)


def _sounds(array: Array, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Samples between -1 and 1."""
    dtype = array.values.dtype
    if dtype.kind not in "if":
        raise array.unfit("hold samples, which are floats or integers with a sign")
    scale = np.float32(1.0 if dtype.kind == "f" else np.iinfo(dtype).max + 1.0)
    return [samples / scale for samples in inputs]


def _whole(array: Array) -> int:
    if array.values.size != 1 or array.values.dtype.kind not in "iu":
        raise SeqzooError(f"{SAMPLE_RATE!r} must be one whole number.")
    return int(array.values.reshape(()))


def _things(array: Array, source: Source) -> Any:
    """Inputs that are no sequences in time: texts, classes, images, vectors."""
    if array.is_text:
        values = array.parsed(fields.reader(source.kind, array.path.parent))
        if source.kind == "words" and source.target_kind == "tags":
            return [tuple(sentence.split()) for sentence in values]
        return values
    values = array.values
    if source.kind in TEXTS:
        raise array.unfit("hold text")
    if source.kind == "class":
        return _classes(array)
    axes = {"vector": (2,), "rows": (3, 4), "pixels": (3, 4), "image": (3, 4)}[source.kind]
    if values.ndim not in axes or not values.size:
        shape = "(n, numbers)" if source.kind == "vector" else "(n, height, width[, channels])"
        raise array.unfit(f"have shape {shape} and hold something")
    if source.kind == "image" and values.dtype != np.uint8:
        raise array.unfit("be images of uint8, from 0 to 255")
    if source.kind == "vector" or values.dtype != np.uint8:
        values = np.stack(array.finite(array.numbers()))
    return values[..., 0] if values.ndim == 4 and values.shape[-1] == 1 else values


def _targets(
    array: Array, source: Source, inputs: Sequence[Any]
) -> tuple[Any, list[tuple[str, ...]] | None]:
    """The targets, and the labels in each, if they are labels."""
    kind = source.target_kind
    if kind in STEPWISE and source.kind in IN_TIME:
        return _stepwise(array, kind, inputs)
    found: Any
    if array.is_text and kind != "class":
        found = array.parsed(fields.target_reader(kind, source.separator))
    elif kind == "class":
        found = _classes(array)
    elif kind == "labels":
        found = _several(array)
    elif kind == "value" and array.values.ndim in (1, 2):
        found = array.finite(array.numbers())
    else:
        raise array.unfit(f"hold what is {kind!r}")
    if kind == "value":
        sizes = {np.size(own) for own in found}
        if len(sizes) > 1:
            raise array.error(f"must hold equally many numbers each, got {sorted(sizes)}")
        return np.asarray(found, np.float32), None
    if kind in ("class", "labels", "tags"):
        return found, [(own,) if isinstance(own, str) else own for own in found]
    return found, None


def _stepwise(
    array: Array, kind: str, inputs: Sequence[Any]
) -> tuple[Any, list[tuple[str, ...]] | None]:
    """A target at each step of each input."""
    lengths = np.array([len(own) for own in inputs], np.int64)
    values = array.values if kind == "tags" else array.numbers()
    if len(lengths) == 1 and len(values) == lengths[0]:
        parts = [values]
    else:
        parts = array.cut(lengths, values, "the lengths of the inputs")
    if kind == "values":
        return array.finite(parts), None
    if any(part.ndim > 1 for part in parts):
        raise array.unfit("have one tag a step")
    tags = [tuple(array.labels(part, index)) for index, part in enumerate(parts)]
    return tags, tags


def _classes(array: Array) -> list[str]:
    """The class of each example: text, or a whole number as text."""
    values = array.values
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if values.ndim != 1:
        raise array.unfit("have one class an example, (n,)")
    return array.labels(values)


def _several(array: Array) -> list[tuple[str, ...]]:
    """The labels of each example, from zeros and ones, (n, labels): the numbers of the ones."""
    if array.values.ndim != 2 or not np.isin(array.values, (0, 1)).all():
        raise array.unfit("be zeros and ones of shape (n, labels), or text")
    return [tuple(map(str, np.flatnonzero(row))) for row in array.values]


def _count(values: Sequence[Any]) -> str:
    return f"{len(values):,} example{'s' * (len(values) != 1)}"
