"""Examples from .npz files, whose sequences have equal lengths, or are padded or concatenated."""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.kinds import INPUTS, STATICS
from seqzoo.tasks.preprocessing.sample_range import range_fault
from seqzoo.zoo.data import suspicions
from seqzoo.zoo.data.audio import unsuitable_rate
from seqzoo.zoo.data.npz_arrays import Array, Arrays
from seqzoo.zoo.data.records import (
    INPUT,
    SPLIT,
    TARGET,
    TIME,
    WEIGHT,
    Record,
    Records,
    Request,
    further_roles,
)
from seqzoo.zoo.data.source import Source

IN_TIME = ("series", "frames", "audio")
"""Forms of inputs that are sequences in time."""

STEPWISE = ("tags", "values")
"""Target types with a target at each step."""

USUAL = {INPUT: ("inputs", "values"), TARGET: ("targets",), SPLIT: (), WEIGHT: (), TIME: ()}
"""Default names of the array for each role."""

SAMPLE_RATE = "sample_rate"


def read(path: pathlib.Path, request: Request) -> Records:
    """All examples of a file.

    Sequences in time have the shape (n, time) or (n, time, features), and padded ones have their
    "lengths", (n,), in another array; or they are concatenated to (all steps,) or (all steps,
    features), also with "lengths". Without lengths, (time,) is one sequence. So is (time, features)
    for notes, and for series if `source.whole` is set, if targets have the shape (time,), or if the
    model that predicts takes several numbers per step.

    Raises:
        SeqzooError: the file cannot be read, or an array has the wrong dtype or shape; the message
            names the array and the example, counted from 0.
    """
    with Arrays(path) as arrays:
        return _Reader(arrays, request).records()


def is_in_time(source: Source) -> bool:
    """Whether the inputs of an .npz file are sequences with a target at each step, so that the end
    of a single one can be held out."""
    stepwise = source.target_kind in (*STEPWISE, "next")
    return source.suffix == ".npz" and _form(source) in IN_TIME and stepwise


def _form(source: Source) -> str:
    return INPUTS[source.kind].form


class _Reader:
    """Reads the arrays of one file.

    Args:
        arrays: the arrays of the file.
        request: the arrays to read.
    """

    def __init__(self, arrays: Arrays, request: Request):
        self.arrays = arrays
        self.request = request
        self.source = request.source
        self.by_role = {
            role: arrays.find(request.name(role), role.partition(".")[0], USUAL.get(role, ()))
            for role in request.roles
        }

    def records(self) -> Records:
        array = self.by_role[INPUT]
        inputs = self._inputs(array)
        columns: dict[str, Any] = {INPUT: inputs}
        if TARGET in self.by_role:
            target = self.by_role[TARGET]
            columns[TARGET] = self._targets(target, inputs)
            if len(columns[TARGET]) != len(inputs):
                raise SeqzooError(
                    f"{array.path}: {array.name!r} contains {_count(inputs)}, but {target.name!r} "
                    f"contains {_count(columns[TARGET])}."
                )
        if SPLIT in self.by_role:
            columns[SPLIT] = _names(self.by_role[SPLIT])
            if len(columns[SPLIT]) != len(inputs):
                raise self.by_role[SPLIT].mismatch(f"name a split for each of {_count(inputs)}")
        if WEIGHT in self.by_role:
            columns[WEIGHT] = self.by_role[WEIGHT].values
            if columns[WEIGHT].shape != (len(inputs),):
                raise self.by_role[WEIGHT].mismatch(
                    f"contain a weight for each of {_count(inputs)}"
                )
        if TIME in self.by_role:
            columns[TIME] = _times(self.by_role[TIME], inputs)
        for role, kind in further_roles(self.source).items():
            role_array = self.by_role[role] if role in self.by_role else None
            if role_array is None:
                continue
            columns[role] = (
                _statics(role_array) if kind in STATICS else self._inputs(role_array, kind)
            )
            if len(columns[role]) != len(inputs):
                raise role_array.mismatch(f"contain an input for each of {_count(inputs)}")
        rows = zip(*columns.values(), strict=True)
        return Records(
            str(array.path),
            [Record(n, dict(zip(columns, row, strict=True))) for n, row in enumerate(rows)],
            unit="example",
            columns={role: value.name for role, value in self.by_role.items()},
            notes=self._notes(array, len(inputs)),
        )

    def _notes(self, array: Array, count: int) -> tuple[str, ...]:
        """A note that says how an ambiguous array was read."""
        forecast = self.source.kind == "series" and self.source.target_kind == "next"
        if not forecast or array.values.ndim != 2 or self.arrays.lengths(array.name) is not None:
            return ()
        return (suspicions.shape_note(array.values.shape, array.name, whole=count == 1),)

    def _inputs(self, array: Array, kind: str = "") -> Sequence[Any]:
        kind = kind or self.source.kind
        form = INPUTS[kind].form
        if form not in IN_TIME:
            return _single_values(array, form, kind)
        sequences = self._sequences(array, form)
        return self._audio(array, sequences) if form == "audio" else sequences

    def _sequences(self, array: Array, form: str) -> list[np.ndarray]:
        """Sequences of numbers, float32, (time,) or (time, features)."""
        values, width = array.numbers(), self.request.width
        if form == "series" and width is not None and width > 1 and values.ndim:
            steps = values.shape[-1] if values.ndim > 1 else 1
            if steps != width:
                raise array.mismatch(f"have {width} numbers per step, as in training")
        max_axes = 2 if form == "audio" else 3
        if not 1 <= values.ndim <= max_axes or not values.size:
            shapes = ("(time,)", "(n, time)", "(n, time, features)")[:max_axes]
            raise array.mismatch(f"have shape {' or '.join(shapes)} and not be empty")
        lengths = self.arrays.lengths(array.name)
        if lengths is not None:
            sequences = array.cut(lengths.values, values, f"{lengths.name!r}")
        elif values.ndim == 1 or (values.ndim == 2 and form != "audio" and self._is_one(array)):
            sequences = [values]
        else:
            sequences = list(values)
        return array.finite(sequences)

    def _is_one(self, array: Array) -> bool:
        """Whether an array of two axes is one sequence."""
        width, target = self.request.width, self.by_role.get(TARGET)
        if self.source.kind == "notes":
            return True
        if width is not None:
            # As in training, the second axis contains the features of a step.
            return width > 1 or array.values.shape[1:] == (1,)
        stepwise = self.source.target_kind in STEPWISE
        return self.source.whole or (stepwise and target is not None and target.values.ndim == 1)

    def _audio(self, array: Array, sequences: Sequence[np.ndarray]) -> list[Any]:
        """Samples between -1 and 1, each with its sample rate."""
        dtype, rate = array.values.dtype, self.source.sample_rate
        if dtype.kind not in "if":
            raise array.mismatch("contain samples, which are floats or signed integers")
        if rate is None and SAMPLE_RATE not in self.arrays.names:
            raise SeqzooError(
                f"{array.path} has no array {SAMPLE_RATE!r}, the number of samples per second; add "
                "it, or set --sample-rate.",
                field=SAMPLE_RATE,
            )
        if rate is None or SAMPLE_RATE in self.arrays.names:
            file_rate = _integer(self.arrays.find(None, SAMPLE_RATE, (SAMPLE_RATE,)))
            if wrong := unsuitable_rate(file_rate):
                raise SeqzooError(f"{array.path} {wrong}.")
            if rate not in (None, file_rate) and not self.source.resample:
                raise SeqzooError(
                    f"{array.path} has {file_rate:,} samples per second, expected {rate:,}; "
                    "--resample converts all audio to one rate."
                )
            rate = file_rate
        if dtype == np.int64:  # NumPy's default, not a format of audio
            raise array.mismatch("contain samples as floats, int16 or int32")
        if dtype.kind == "f" and (wrong := range_fault(*sequences)):
            raise array.error(wrong)
        scale = np.float32(1.0 if dtype.kind == "f" else np.iinfo(dtype).max + 1.0)
        return [(samples / scale, rate) for samples in sequences]

    def _targets(self, array: Array, inputs: Sequence[Any]) -> Sequence[Any]:
        kind = self.source.target_kind
        if kind in STEPWISE and _form(self.source) in IN_TIME:
            return _stepwise(array, kind, inputs)
        if kind == "class":
            return _names(array)
        if array.is_text:
            return _texts(array)
        if kind == "labels":
            return _label_indices(array)
        if kind == "value" and array.values.ndim in (1, 2):
            return array.finite(array.numbers())
        raise array.mismatch(f"contain targets of the kind {kind!r}")


def _statics(array: Array) -> Sequence[Any]:
    """A number or a name for each example; NaN if it is missing."""
    if array.values.ndim != 1:
        raise array.mismatch("have shape (n,)")
    return array.values.tolist()


def _single_values(array: Array, form: str, kind: str) -> Any:
    """Inputs that are not sequences in time: texts, names, images, vectors."""
    if form == "name":
        return _names(array)
    if array.is_text:
        return _texts(array)
    values = array.values
    if form == "text":
        raise array.mismatch("contain text")
    axes = (2,) if form == "numbers" else (3, 4)
    if values.ndim not in axes or not values.size:
        shape = "(n, numbers)" if form == "numbers" else "(n, height, width[, channels])"
        raise array.mismatch(f"have shape {shape} and not be empty")
    if kind == "image" and values.dtype != np.uint8:
        raise array.mismatch("contain uint8 images, with values from 0 to 255")
    if form == "numbers" or values.dtype != np.uint8:
        values = np.stack(array.finite(array.numbers()))
    return values[..., 0] if values.ndim == 4 and values.shape[-1] == 1 else values


def _stepwise(array: Array, kind: str, inputs: Sequence[Any]) -> Sequence[Any]:
    """A target at each step of each input."""
    lengths = np.array([len(item) for item in inputs], np.int64)
    values = array.values if kind == "tags" else array.numbers()
    if len(lengths) == 1 and values.ndim and len(values) == lengths[0]:
        parts = [values]
    else:
        parts = array.cut(lengths, values, "the lengths of the inputs")
    if kind == "values":
        return array.finite(parts)
    if any(part.ndim > 1 for part in parts):
        raise array.mismatch("have one tag per step")
    return parts


def _times(array: Array, inputs: Sequence[Any]) -> Sequence[np.ndarray]:
    """A time at each step of each input, float64, so that seconds since 1970 keep their
    precision."""
    if array.is_text:
        raise array.mismatch("contain numbers")
    lengths = np.array([len(item) for item in inputs], np.int64)
    values = array.values.astype(np.float64)
    if len(lengths) == 1 and values.shape == (lengths[0],):
        return array.finite([values])
    parts = array.cut(lengths, values, "the lengths of the inputs")
    if any(part.ndim > 1 for part in parts):
        raise array.mismatch("have one time per step")
    return array.finite(parts)


def _texts(array: Array) -> Sequence[str]:
    if array.values.ndim != 1:
        raise array.mismatch("have shape (n,)")
    return array.values.tolist()


def _names(array: Array) -> Sequence[Any]:
    """The class of each example: text, or a number that must be whole."""
    values = array.values
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if values.ndim != 1:
        raise array.mismatch("have one class per example, (n,)")
    return list(values)


def _label_indices(array: Array) -> list[list[int]]:
    """The labels of each example, from zeros and ones, (n, labels): the indices of the ones."""
    if array.values.ndim != 2 or not np.isin(array.values, (0, 1)).all():
        raise array.mismatch("be zeros and ones of shape (n, labels), or text")
    return [np.flatnonzero(row).tolist() for row in array.values]


def _integer(array: Array) -> int:
    if array.values.size != 1 or array.values.dtype.kind not in "iu":
        raise SeqzooError(f"{SAMPLE_RATE!r} must be one whole number.")
    return int(array.values.reshape(()))


def _count(values: Sequence[Any]) -> str:
    return f"{len(values):,} example{'s' * (len(values) != 1)}"
