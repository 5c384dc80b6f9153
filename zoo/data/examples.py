"""Makes examples from the records of any format.

The records come from files in any format or from tfds data sets; errors in fields name the location
and the column.
"""

import pathlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from seqzoo.tasks.data.examples import Examples, rows_of
from seqzoo.tasks.data.timed_series import TimedSeries, fault, since_before
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.kinds import FURTHER as FURTHER_KINDS
from seqzoo.tasks.kinds import INPUTS
from seqzoo.zoo.data import fields
from seqzoo.zoo.data.audio import resampled
from seqzoo.zoo.data.records import (
    INPUT,
    SENTENCE,
    SPLIT,
    TARGET,
    TIME,
    WEIGHT,
    Records,
    further_roles,
    step_roles,
)
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.data.splits import Part, example_keys

NAMES = ("class", "labels", "tags")
"""Target types that are labels, each of which must occur in training."""


def roles_of(source: Source) -> tuple[str, ...]:
    """The roles of the columns that training needs."""
    roles = [INPUT]
    roles += [] if source.target_kind == "next" else [TARGET]
    roles += [] if source.split_column is None else [SPLIT]
    roles += [] if source.weight_column is None else [WEIGHT]
    roles += [] if source.time_column is None else [TIME]
    roles += [] if source.sentence_column is None else [SENTENCE]
    return (*roles, *step_roles(source), *further_roles(source))


def input_reader(source: Source, folder: pathlib.Path) -> Callable[[Any], Any]:
    """The function that converts a field to a raw input.

    Args:
        source: its kinds determine how a field is read.
        folder: paths in a field are relative to it.
    """
    if source.kind == "words" and source.target_kind == "tags":
        return fields.words
    return fields.reader(source.kind, folder)


def readers_of(source: Source, folder: pathlib.Path) -> dict[str, Callable[[Any], Any]]:
    """For each role that training needs, the function that reads its fields.

    Args:
        source: its kinds determine how a field is read.
        folder: paths in a field are relative to it.
    """
    readers: dict[str, Callable[[Any], Any]] = {INPUT: input_reader(source, folder)}
    roles = roles_of(source)
    if TARGET in roles:
        readers[TARGET] = fields.target_reader(source.target_kind, source.separator)
    if SPLIT in roles:
        readers[SPLIT] = fields.label
    if WEIGHT in roles:
        readers[WEIGHT] = fields.weight
    if TIME in roles:
        readers[TIME] = fields.times
    for role, kind in further_roles(source).items():
        readers[role] = fields.further_reader(kind, folder)
    return readers


def part_of(records: Records, source: Source, folder: pathlib.Path) -> tuple[Part, int | None]:
    """Reads the fields of records.

    Args:
        records: the records of a file, or of a split of a data set.
        source: describes their fields.
        folder: paths in a field are relative to it.

    Returns: the examples, and the sample rate of audio.

    Raises:
        SeqzooError: a record or a field is malformed, or inputs have unequal shapes; the message
            says where.
    """
    readers = readers_of(source, folder)
    roles = tuple(readers)
    numbers: list[int] = []
    values: dict[str, list[Any]] = {role: [] for role in roles}
    for record in records.records:
        if record.error:
            where = records.location(record.number)
            raise SeqzooError(f"{where} {record.error}.", location=where)
        for role in roles:
            try:
                values[role].append(readers[role](record.fields[role]))
            except SeqzooError as error:
                raise _error(records, record.number, role, str(error)) from error
        numbers.append(record.number)
    if not numbers:
        raise SeqzooError(f"{records.name} is empty.")
    inputs, rate = _inputs(records, numbers, source, values[INPUT])
    if TIME in roles:
        inputs = _timed(records, numbers, source, inputs, values[TIME])
    if source.further_inputs:
        columns = {records.columns[INPUT]: inputs}
        for role, kind in further_roles(source).items():
            # All audio of an example has one rate: that of the first input that is audio.
            fixed = replace(source, sample_rate=rate)
            raw_inputs, rate = _inputs(records, numbers, fixed, values[role], role, kind)
            columns[records.columns[role]] = raw_inputs
        inputs = rows_of(columns)
    targets = _targets(records, numbers, source, values.get(TARGET))
    labels = None
    if targets is not None and source.target_kind in NAMES:
        labels = [(target,) if isinstance(target, str) else target for target in targets]
    # If all rows form a single series, it has the number of the first row.
    lines: Sequence[int | str] | None = numbers[: len(inputs)] if records.unit else None
    if records.locations:
        lines = [records.line(number) for number in numbers[: len(inputs)]]
    weights = values.get(WEIGHT)
    if weights is not None and len(weights) != len(inputs):
        raise SeqzooError(
            f"`weight_column` is for weights of examples, but the rows of {records.name} are one "
            "series; leave it out.",
            field=WEIGHT,
        )
    examples = Examples(inputs, targets, lines, records.unit or "example", weights)
    keys = example_keys(source.kind, inputs, targets)
    if source.kind == "class" and labels is None:
        labels = [(name,) for name in values[INPUT]]  # which all splits have
    splits = values.get(SPLIT)
    return Part(records.name, examples, keys, labels, splits, records.notes), rate


def _inputs(
    records: Records,
    numbers: Sequence[int],
    source: Source,
    inputs: Any,
    role: str = INPUT,
    kind: str | None = None,
) -> tuple[Any, int | None]:
    """The inputs of examples, and the sample rate of audio.

    Args:
        records: the records that the inputs were read from.
        numbers: record numbers.
        source: describes their fields.
        inputs: the values that were read from the fields.
        role: the role of their column.
        kind: the kind of the inputs; None for that of the source.
    """
    kind = kind or source.kind
    form = FURTHER_KINDS[kind].form if role != INPUT else INPUTS[kind].form
    if form == "audio":
        return _audio(records, numbers, source, inputs, role)
    if form in ("series", "frames"):
        widths = [series.shape[1:] for series in inputs]
        _check_equal(records, numbers, role, widths, widths[0], "numbers per step")
        if kind == "series" and source.target_kind == "next":
            inputs = _one_series(records, source, inputs)
    elif kind in ("rows", "pixels", "vector"):
        shapes = [numbers.shape for numbers in inputs]
        if kind == "vector":
            _check_equal(records, numbers, role, shapes, shapes[0], "numbers")
        # Images of different sizes are not stacked: the template may resize them.
        inputs = np.stack(inputs) if len(set(shapes)) == 1 else inputs
    return inputs, source.sample_rate


def _audio(
    records: Records, numbers: Sequence[int], source: Source, inputs: Sequence[Any], role: str
) -> tuple[list[np.ndarray], int | None]:
    rate = source.sample_rate or inputs[0][1]
    rates = [item or rate for _, item in inputs]
    if not source.resample:
        what, advice = "samples per second", "; --resample converts all audio to one rate"
        _check_equal(records, numbers, role, rates, rate, what, advice)
    pairs = zip(inputs, rates, strict=True)
    return [resampled(samples, item, rate) for (samples, _), item in pairs], rate


def _one_series(records: Records, source: Source, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """The series of a table; a single series if each row has one step and `source.whole` is set.

    Raises:
        SeqzooError: each row has only one step, so there is no next one.
    """
    if any(len(series) > 1 for series in inputs) or len(inputs) < 2:
        return inputs
    if source.whole:
        return [np.concatenate(inputs)]
    raise SeqzooError(
        f"{records.name}: {records.columns[INPUT]!r} has one number per row, not a series; --whole "
        "reads the column as one series, from top to bottom."
    )


def _timed(
    records: Records,
    numbers: Sequence[int],
    source: Source,
    inputs: Sequence[np.ndarray],
    times: list[np.ndarray],
) -> list[TimedSeries]:
    """The series with the times of their steps.

    Raises:
        SeqzooError: a series does not have one time per step, or times are negative or decrease.
    """
    if len(inputs) < len(times):  # the rows of a table are one series
        times = [np.concatenate(times)]
    joined = []
    for values, time, number in zip(inputs, times, numbers, strict=False):
        if problem := fault(time, len(values), source.time_values):
            raise _error(records, number, TIME, problem)
        joined.append(timed(values, time, source))
    return joined


def timed(values: np.ndarray, times: np.ndarray, source: Source) -> TimedSeries:
    """A series with the times of its steps, which `fault` has checked."""
    return TimedSeries(values, times if source.time_values == "elapsed" else since_before(times))


def _targets(
    records: Records, numbers: Sequence[int], source: Source, targets: list[Any] | None
) -> Any:
    if targets is None or source.target_kind != "value":
        return targets
    counts = [np.size(value) for value in targets]
    _check_equal(records, numbers, TARGET, counts, counts[0], "numbers")
    return np.asarray(targets, np.float32)


def _check_equal(
    records: Records,
    numbers: Sequence[int],
    role: str,
    values: Sequence[Any],
    expected: Any,
    what: str,
    advice: str = "",
) -> None:
    for value, number in zip(values, numbers, strict=True):
        if value != expected:
            unit = what.replace("numbers", "number") if value == 1 else what
            message = f"has {_size(value)} {unit}, expected {_size(expected)}{advice}"
            raise _error(records, number, role, message)


def _error(records: Records, number: int, role: str, message: str) -> SeqzooError:
    """An error at a field: "reviews.csv, line 18: 'text' is empty."."""
    where = records.location(number)
    column = f": {records.columns[role]!r}" if role in records.columns else ""
    return SeqzooError(f"{where}{column} {message}.", location=where, field=role)


def _size(value: int | tuple[int, ...]) -> str:
    """A size as text: "16,000" for a number, "28 x 28" for a shape."""
    return f"{value:,}" if isinstance(value, int) else " x ".join(map(str, value)) or "1"
