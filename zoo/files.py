"""Examples from CSV, TSV and JSON Lines files, and errors that name the line."""

import pathlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.examples import Examples, Splits
from seqzoo.zoo import fields, splitting
from seqzoo.zoo.source import Source
from seqzoo.zoo.splitting import Part, input_key
from seqzoo.zoo.tables import Table, read_table


def open_files(source: Source) -> tuple[Splits, Source]:
    """Reads a file, and those of its validation and test where they have their own.

    Raises:
        SeqzooError: a file cannot be read, or a line is not as it should be.
    """
    source = source.absolute()
    whole, sample_rate = read_file(source.data, source)
    source = replace(source, sample_rate=sample_rate)
    parts = splitting.split(whole, source.shares(), source.seed)
    for name in ("validation", "test"):
        path = getattr(source, name)
        if isinstance(path, str):
            parts[name], _ = read_file(path, source)
    notes = splitting.part_equal_inputs(parts)
    splitting.check_labels(parts)
    if source.limit is not None:
        notes += splitting.limit(parts, source.limit, source.seed)
    return splitting.to_splits(pathlib.Path(source.data).name, parts, notes), source


def read_file(path: str, source: Source) -> tuple[Part, int | None]:
    """Reads all examples of one file, as `source` says.

    Returns: the examples, and the sample rate of sound.

    Raises:
        SeqzooError: as `open_files`.
    """
    table = read_table(pathlib.Path(path), columns=source.columns, delimiter=source.delimiter)
    columns = [("input", source.input), ("target", source.target)]
    input_fields, target_fields = (table.column(name, argument) for argument, name in columns)
    read_input = fields.reader(source.kind, table.path.parent)
    inputs: Any = _parse(table, source.input, input_fields, read_input)
    sample_rate = source.sample_rate
    if source.kind == "audio":
        rates = [rate for _, rate in inputs]
        sample_rate = sample_rate or rates[0]
        _check_equal(table, source.input, rates, sample_rate, "samples a second")
        inputs = [samples for samples, _ in inputs]
    elif source.kind == "series":
        widths = [series.shape[1:] for series in inputs]
        _check_equal(table, source.input, widths, widths[0], "numbers a step")
    elif source.kind == "rows":
        shapes = [image.shape for image in inputs]
        _check_equal(table, source.input, shapes, shapes[0], "numbers")
        inputs = np.stack(inputs)
    read_target = fields.target_reader(source.target_kind, source.separator)
    targets: Any = _parse(table, source.target, target_fields, read_target)
    labels = None
    if source.target_kind == "value":
        counts = [np.size(value) for value in targets]
        _check_equal(table, source.target, counts, counts[0], "numbers")
        targets = np.asarray(targets, np.float32)
    elif source.target_kind in ("class", "labels"):
        labels = [(own,) if isinstance(own, str) else own for own in targets]
    examples = Examples(inputs, targets, table.lines)
    return Part(path, examples, [input_key(value) for value in inputs], labels), sample_rate


def _parse(
    table: Table, name: str | None, values: Sequence[Any], read: Callable[[Any], Any]
) -> list[Any]:
    parsed = []
    for field, line in zip(values, table.lines, strict=True):
        try:
            parsed.append(read(field))
        except SeqzooError as error:
            raise SeqzooError(f"{table.path}, line {line}: {name!r} {error}.") from error
    return parsed


def _check_equal(
    table: Table, name: str | None, values: Sequence[Any], wanted: Any, what: str
) -> None:
    for value, line in zip(values, table.lines, strict=True):
        if value != wanted:
            raise SeqzooError(
                f"{table.path}, line {line}: {name!r} has {_size(value)} {what}, where "
                f"{_size(wanted)} should be."
            )


def _size(value: int | tuple[int, ...]) -> str:
    """ "16,000" for a number, "28 x 28" for a shape."""
    return f"{value:,}" if isinstance(value, int) else " x ".join(map(str, value)) or "1"
