"""Examples from tables, plain texts, arrays and CoNLL files, and errors that name the line."""

import pathlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from seqzoo.tasks.data.examples import Examples, Splits
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.settings import TEXTS
from seqzoo.zoo.data import fields, suspicions
from seqzoo.zoo.data import splits as splitting
from seqzoo.zoo.data.conll import read_conll
from seqzoo.zoo.data.lines import split_lines
from seqzoo.zoo.data.npz_examples import is_in_time, read_arrays
from seqzoo.zoo.data.sound import resampled
from seqzoo.zoo.data.source import ARRAYS, CONLL, PLAIN_TEXT, Source, suffix_of
from seqzoo.zoo.data.splits import Part, input_key
from seqzoo.zoo.data.tables import Table, read_table, read_text


def open_files(source: Source) -> tuple[Splits, Source]:
    """Reads a file, and its separate files for validation and testing if there are any.

    Raises:
        SeqzooError: a file cannot be read, or a line is malformed.
    """
    source = source.absolute()
    whole, sample_rate = read_file(source.data, source)
    source = replace(source, sample_rate=sample_rate)
    told = [*whole.notes, *suspicions.check(whole, source)]
    if source.split_column is not None:
        parts = splitting.by_column(whole, source.shares(), source.split_column, source.seed)
    elif len(whole.keys) == 1 and (source.whole or is_in_time(source)):
        parts = splitting.cut(whole, source.shares())
    else:
        parts = splitting.split(whole, source.shares(), source.seed)
    for name in ("validation", "test"):
        path = getattr(source, name)
        if isinstance(path, str):
            if parts[name] is not None:
                raise SeqzooError(
                    f"`{name}` must be left out where `split_column` says it, got {path!r}."
                )
            parts[name], _ = read_file(path, replace(source, split_column=None))
    notes = told + splitting.part_equal_inputs(parts, keep=source.duplicates == "keep")
    splitting.check_labels(parts)
    if source.limit is not None:
        notes += splitting.limit(parts, source.limit, source.seed)
    return splitting.to_splits(pathlib.Path(source.data).name, parts, notes), source


def read_file(path: str, source: Source) -> tuple[Part, int | None]:
    """Reads all examples of one file; see `source`.

    Returns: the examples, and the sample rate of sound.

    Raises:
        SeqzooError: as `open_files`.
    """
    suffix = suffix_of(path)
    plain = suffix == PLAIN_TEXT and source.delimiter is None
    if source.split_column is not None and (plain or suffix in CONLL):
        raise SeqzooError(f"`split_column` is for tables and arrays, got {path}.")
    if suffix == PLAIN_TEXT and source.target_kind == "next" and source.delimiter is None:
        return read_lines(pathlib.Path(path), whole=source.whole), None
    if suffix == PLAIN_TEXT and source.delimiter is None and source.target_kind != "tags":
        raise without_targets(path, source)
    if suffix in CONLL or (suffix == PLAIN_TEXT and source.delimiter is None):
        return _read_tagged(path, source), None
    if suffix == ARRAYS:
        return read_arrays(pathlib.Path(path), source)
    table = read_table(
        pathlib.Path(path),
        columns=source.columns,
        delimiter=source.delimiter,
        only=(source.input, source.target, source.split_column),
    )
    inputs, sample_rate = _inputs(table, source)
    targets, labels = _targets(table, source)
    if source.kind == "series" and source.target_kind == "next":
        inputs = _one_series(table, source, inputs)
        if len(inputs) == 1:
            table = replace(table, rows=table.rows[:1], lines=table.lines[:1])
    examples = Examples(inputs, targets, table.lines, table.unit)
    splits = None
    if source.split_column is not None:
        column = table.column(source.split_column, "split_column")
        splits = _parse(table, source.split_column, column, fields.label)
    keys = [input_key(value) for value in inputs]
    return Part(path, examples, keys, labels, splits), sample_rate


def without_targets(path: str, source: Source) -> SeqzooError:
    """The error that a plain text gets where inputs need targets."""
    advice = "name a .csv, .tsv or .jsonl file with columns of inputs and targets"
    if source.target_kind in TEXTS:
        advice += (
            ", or a folder of texts called LANGUAGE.SPLIT.txt, line by line the same, such as "
            "en.train.txt and fr.train.txt"
        )
    return SeqzooError(f"{path} is a plain text, which has no targets; {advice}.")


def _one_series(table: Table, source: Source, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """The series of a table; a single one if each row has one step and `source.whole` is set.

    Raises:
        SeqzooError: each row has only one step, so that there is no next one.
    """
    if any(len(series) > 1 for series in inputs) or len(inputs) < 2:
        return inputs
    if source.whole:
        return [np.concatenate(inputs)]
    raise SeqzooError(
        f"{table.path}: {source.input!r} holds one number a row, not a series; --whole reads "
        "the column as one series, from top to bottom."
    )


def _inputs(table: Table, source: Source) -> tuple[Any, int | None]:
    """The inputs of a table, and the sample rate of sound."""
    column = table.column(source.input, "input")
    tagged = source.kind == "words" and source.target_kind == "tags"
    read = fields.words if tagged else fields.reader(source.kind, table.path.parent)
    inputs: Any = _parse(table, source.input, column, read)
    sample_rate = source.sample_rate
    if source.kind == "audio":
        sample_rate = sample_rate or inputs[0][1]
        if not source.resample:
            rates = [rate for _, rate in inputs]
            what, advice = "samples a second", "; --resample brings all sound to one rate"
            _check_equal(table, source.input, rates, sample_rate, what, advice)
        inputs = [resampled(samples, rate, sample_rate) for samples, rate in inputs]
    elif source.kind in ("series", "notes"):
        widths = [series.shape[1:] for series in inputs]
        _check_equal(table, source.input, widths, widths[0], "numbers a step")
    elif source.kind in ("rows", "pixels", "vector"):
        shapes = [numbers.shape for numbers in inputs]
        _check_equal(table, source.input, shapes, shapes[0], "numbers")
        inputs = np.stack(inputs)
    return inputs, sample_rate


def _targets(table: Table, source: Source) -> tuple[Any, list | None]:
    """The targets of a table, and the labels in each, if they are labels."""
    kind = source.target_kind
    if kind == "next":
        return None, None
    column = table.column(source.target, "target")
    read = fields.target_reader(kind, source.separator)
    targets: Any = _parse(table, source.target, column, read)
    if kind == "value":
        counts = [np.size(value) for value in targets]
        _check_equal(table, source.target, counts, counts[0], "numbers")
        return np.asarray(targets, np.float32), None
    if kind in ("class", "labels", "tags"):
        return targets, [(own,) if isinstance(own, str) else own for own in targets]
    return targets, None


def _read_tagged(path: str, source: Source) -> Part:
    """The sentences of a CoNLL file."""
    try:
        found = read_conll(pathlib.Path(path), source.input, source.target)
    except SeqzooError as error:
        if suffix_of(path) != PLAIN_TEXT:
            raise
        raise SeqzooError(
            f"{str(error).removesuffix('.')} (a .txt file of tags is read as CoNLL: a word and its "
            "tag a line, an empty line between sentences)."
        ) from error
    examples = Examples(found.sentences, found.tags, found.lines)
    return Part(path, examples, [input_key(words) for words in found.sentences], found.tags)


def read_lines(path: pathlib.Path, *, whole: bool) -> Part:
    """The lines of a plain text that are not empty, or the text as one.

    Raises:
        SeqzooError: it cannot be read, or it is empty.
    """
    text = read_text(path)
    numbered = [(1, text)] if whole else list(enumerate(split_lines(text), 1))
    kept = [(number, line) for number, line in numbered if line.strip()]
    if not kept:
        raise SeqzooError(f"{path} is empty.")
    lines = [line for _, line in kept]
    examples = Examples(lines, None, [number for number, _ in kept])
    return Part(str(path), examples, [input_key(line) for line in lines], None)


def _parse(
    table: Table, name: str | None, values: Sequence[Any], read: Callable[[Any], Any]
) -> list[Any]:
    parsed = []
    for field, line in zip(values, table.lines, strict=True):
        try:
            parsed.append(read(field))
        except SeqzooError as error:
            raise SeqzooError(f"{table.location(line)}: {name!r} {error}.") from error
    return parsed


def _check_equal(
    table: Table,
    name: str | None,
    values: Sequence[Any],
    wanted: Any,
    what: str,
    advice: str = "",
) -> None:
    for value, line in zip(values, table.lines, strict=True):
        if value != wanted:
            raise SeqzooError(
                f"{table.location(line)}: {name!r} has {_size(value)} {what}, where "
                f"{_size(wanted)} should be{advice}."
            )


def _size(value: int | tuple[int, ...]) -> str:
    """ "16,000" for a number, "28 x 28" for a shape."""
    return f"{value:,}" if isinstance(value, int) else " x ".join(map(str, value)) or "1"
