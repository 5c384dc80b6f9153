"""The inputs of `seqzoo predict`: lines, or a column of a file.

Unlike in training, an invalid line does not stop the command: it is reported, and the others are
still predicted.
"""

import itertools
import json
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from seqzoo.tasks.data.timed_series import fault
from seqzoo.tasks.errors import SeqzooError, check_regular, nearest, some_of
from seqzoo.tasks.fields import input_kinds
from seqzoo.zoo.data import conll, fields, formats
from seqzoo.zoo.data.audio import resampled
from seqzoo.zoo.data.examples import timed
from seqzoo.zoo.data.lines import BYTE_ORDER_MARK, without_mark
from seqzoo.zoo.data.records import (
    FURTHER,
    INPUT,
    SENTENCE,
    TIME,
    Record,
    Request,
    further_roles,
    step_roles,
    undecoded,
)
from seqzoo.zoo.data.source import Source

FIRST = ""
"""The key of the first of several inputs from a file, whose column may have a different name than
in training."""

VALUES, TIMES = "values", "times"
"""The keys of a series with times, as a JSON object."""


Tokenization = Literal["auto", "whitespace"]
"""Ways to split sentences into words; see `reader`."""


CLASSES_READ = 50
"""Number of rows of a file without a header line in which a class of the model is looked for."""


@dataclass(frozen=True)
class RawInput:
    """One raw input.

    Attributes:
        number: the number of the line at which it begins, of the argument, or of the example in an
            array, from 1.
        field: text or a JSON value; after `read`, a raw input of the run's kind.
        wrong: what is wrong with the line, such as "is empty"; None if it is valid.
        unit: what `number` counts.
    """

    number: int
    field: Any
    wrong: str | None = None
    unit: Literal["Line", "Row", "Input"] = "Line"


@dataclass(frozen=True)
class File:
    """A file whose lines, or one of whose columns, are inputs.

    Attributes:
        path: the path of the file.
        column: the column of inputs; None for the one used in training.
        time_column: the column with the times of steps; None for the one used in training.
        sentence_column: the column that identifies the sentence of each word, in tables with one
            word per row; None for the one used in training, if the file has it.
        columns: column names, for a file without a header line; None for those used in training.
        delimiter: the delimiter of its fields; None for the one used in training, if the extension
            of the file is the same, and otherwise for the one that it implies.
        resample: whether to convert audio to the sample rate of the model.
    """

    path: pathlib.Path
    column: str | None = None
    time_column: str | None = None
    sentence_column: str | None = None
    columns: Sequence[str] | None = None
    delimiter: str | None = None
    resample: bool = False


def read(
    run: Any,
    given: Iterable[bytes] | tuple[str, ...] | File,
    *,
    resample: bool = False,
    tokenize: Tokenization = "auto",
) -> Iterator[RawInput]:
    """The inputs for a run, in order, each converted to the run's kind or marked as invalid.

    Args:
        run: the `seqzoo.tasks.runs.run.Run`.
        given: lines in UTF-8, texts from the command line, or a file.
        resample: whether to convert audio to the sample rate of the model.
        tokenize: see `reader`.

    Raises:
        SeqzooError: the file cannot be read, or has no such column or array.
    """
    folder = pathlib.Path.cwd()
    if isinstance(given, File):
        folder = given.path.parent
        source = _source_of(run, given)
        _check_classes(run, given, source)
        items = of_file(given, source, width=_width_of(run))
    else:
        texts: Any = given
        items = of_arguments(texts) if isinstance(given, tuple) else of_lines(texts)
    read_field = reader(run, folder, resample=resample, tokenize=tokenize)
    for item in items:
        if item.wrong:
            yield item
            continue
        try:
            yield replace(item, field=read_field(item.field))
        except SeqzooError as error:
            yield replace(item, field=None, wrong=str(error))


def _check_classes(run: Any, file: File, source: Source) -> None:
    """Checks that the column of classes in a file without a header line contains classes.

    Raises:
        SeqzooError: it does not, so the file probably lacks it, and the first value of each row
            would be taken for its class.
    """
    columns = file.columns or source.columns or ()
    if "*" not in columns or source.target not in columns or source.target_kind != "class":
        return
    delimiter = file.delimiter or source.delimiter_of(str(file.path))
    if formats.format_of(str(file.path), delimiter=delimiter) not in formats.DELIMITED:
        return  # the names are not used for the columns of other formats
    classes = run.task.targets.names
    as_input = replace(file, column=source.target), replace(source, target=None)
    first = itertools.islice(of_file(*as_input), CLASSES_READ)
    found = [str(item.field).strip() for item in first if item.field is not None]
    if any(found) and not set(found) & {"", *classes}:
        without = ",".join(name for name in columns if name != source.target)
        raise SeqzooError(
            f"{file.path}: the column {source.target!r} has none of the classes of {run.folder}, "
            f'but {some_of(found)}; if the file lacks this column, use --columns "{without}".',
            field="columns",
        )


def _source_of(run: Any, file: File) -> Source:
    """The source that describes the inputs in a file."""
    source = Source.of_run(run, str(file.path))
    # The sample rate is the model's, even if the source of the training data has another.
    rate = run.template.sample_rate if source.kind == "audio" else None
    return replace(source, sample_rate=rate)


def _width_of(run: Any) -> int:
    """The number of values per step of the series that a run's model takes; 1 for other inputs."""
    if run.template.input != "series":
        return 1
    return int(run.task.signature[0].shape[-1] or 1)


def of_lines(lines: Iterable[bytes]) -> Iterator[RawInput]:
    """One input per line of standard input or a file, in UTF-8; a leading byte order mark is left
    out."""
    for number, line in enumerate(without_mark(iter(lines)), 1):
        text = line.decode("utf-8", "surrogateescape")
        yield _checked(number, text.removesuffix("\n").removesuffix("\r"))


def of_arguments(texts: Sequence[str]) -> Iterator[RawInput]:
    """One input per argument of the command line."""
    for number, text in enumerate(texts, 1):
        # "$(cat FILE)" passes on the byte order mark.
        yield replace(_checked(number, text.removeprefix(BYTE_ORDER_MARK)), unit="Input")


def _checked(number: int, text: str) -> RawInput:
    """A text, marked as invalid if it contains a byte that is not UTF-8."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return RawInput(number, None, undecoded(text))
    return RawInput(number, text)


def of_file(file: File, source: Source, *, width: int | None = None) -> Iterator[RawInput]:
    """The inputs of a file, in order; its name determines its format, as in training.

    Args:
        file: the file.
        source: the source of the run, for the fields that `file` leaves out.
        width: number of values per step of the series that the run's model takes.

    Raises:
        SeqzooError: it cannot be read, or has no such column or array.
    """
    delimiter = file.delimiter or source.delimiter_of(str(file.path))
    item = replace(
        source,
        data=str(file.path),
        input=file.column or source.input,
        time_column=file.time_column or source.time_column,
        sentence_column=file.sentence_column or source.sentence_column,
        columns=file.columns or source.columns,
        delimiter=delimiter,
        resample=source.resample or file.resample,
        whole=False,
    )
    given = replace(item, columns=file.columns)  # the run's may be for files of another format
    formats.check_delimited(str(file.path), given)
    lemmas = formats.reads_lemmas(source)
    name = formats.format_of(str(file.path), delimiter=delimiter, lemmas=lemmas)
    if file.column and name == "text":
        raise SeqzooError(
            f"`input` is for files with columns, got {file.path}, each line of which is an input; "
            "leave it out.",
            field="input",
        )
    if name == "text":
        item = replace(item, input=None, target=None)
    roles: tuple[str, ...] = (INPUT,) if item.time_column is None else (INPUT, TIME)
    roles = (*roles, *step_roles(item), *further_roles(source))
    if item.sentence_column is not None:
        roles = (*roles, SENTENCE)
    read = formats.read
    if name == "text" and _is_conll(file.path, source):
        read, item = conll.read, replace(item, input=source.input)
    try:
        records = read(file.path, Request(item, roles, strict=False, width=width))
    except SeqzooError as error:
        if error.field != SENTENCE or file.sentence_column is not None:
            raise
        # The file may have a sentence per row, although the training data had a word per row.
        item = replace(item, sentence_column=None)
        records = formats.read(file.path, Request(item, (INPUT,), strict=False))
    # Examples are counted from 0 in training messages, and from 1 in predictions.
    first = 1 if records.unit == "example" else 0
    unit: Any = "Line" if records.unit == "line" else "Row"
    items = (
        RawInput(record.number + first, _fields(record, source), record.error or None, unit)
        for record in records.records
    )
    in_time = source.kind == "series" and source.target_kind == "next"
    return _one_series(items) if in_time and source.whole else items


def _is_conll(path: pathlib.Path, source: Source) -> bool:
    """Whether a .txt file has a word per line, as the one that a tagger was trained on."""
    tagged = source.kind == "words" and source.target_kind == "tags"
    if not tagged or source.delimiter or formats.suffix_of(source.data) != ".txt":
        return False
    check_regular(path)
    return conll.has_word_per_line(path, pathlib.Path(source.data))


def _field(record: Record) -> Any:
    """The input of a record, with the times of its steps, if any."""
    value = record.fields.get(INPUT)
    return {VALUES: value, TIMES: record.fields[TIME]} if TIME in record.fields else value


def _fields(record: Record, source: Source) -> Any:
    """The input of a record, or all of its inputs by name; the key of the first is `FIRST`."""
    if not source.further_inputs or record.error:
        return _field(record)
    further = {name: record.fields[f"{FURTHER}{name}"] for name in source.further_inputs}
    return {FIRST: _field(record), **further}


def _one_series(items: Iterator[RawInput]) -> Iterator[RawInput]:
    """The rows of a table as one series if each row has one step, as in training."""
    rows, steps, times = list(items), [], []
    for row in rows:
        is_timed = isinstance(row.field, dict)
        try:
            field = row.field[VALUES] if is_timed else row.field
            series = None if row.wrong else fields.series(field)
            times += fields.times(row.field[TIMES]).tolist() if is_timed else []
        except SeqzooError:  # reported when the row is predicted
            series = None
        if series is None or len(series) > 1 or len(rows) == 1:
            return iter(rows)
        steps += series.tolist()
    field = {VALUES: steps, TIMES: times} if times else steps
    return iter([replace(rows[0], field=field)])


def check_resample(folder: object, template: Any, *, resample: bool) -> None:
    """Checks that audio is converted to another sample rate only if a model reads audio.

    Raises:
        SeqzooError: no input is audio.
    """
    if resample and "audio" not in input_kinds(template):
        raise SeqzooError(f"--resample is for audio, got {folder} with {template.input!r}.")


def reader(
    run: Any,
    folder: pathlib.Path,
    *,
    resample: bool = False,
    tokenize: Tokenization = "auto",
) -> Callable[[Any], Any]:
    """The function that converts a field to a raw input of the run's kind.

    Args:
        run: the `seqzoo.tasks.runs.run.Run`.
        folder: paths in a field are relative to it.
        resample: whether audio with a different sample rate is converted to the model's; it is
            also converted if it was in training.
        tokenize: how sentences are split into words for a tagger: "auto" as in the training data,
            by `Run.predict`; "whitespace" at whitespace only.
    """
    from seqzoo.tasks.layers.recurrent import takes_time  # imports Keras
    from seqzoo.tasks.protocols import ContinuesText

    resample = resample or (run.source or {}).get("resample", False)
    read_field = fields.reader(run.template.input, folder)
    source = Source.of_run(run, "")
    tagged = run.template.input == "words" and run.template.target == "tags"
    continues = isinstance(run.task, ContinuesText)
    further = {
        name: fields.further_reader(kind, folder) for name, kind in source.further_inputs.items()
    }

    def read(field: Any) -> Any:
        if source.further_inputs:
            return _joined(field, run.task.features.names, read_first, further)
        return read_first(field)

    def read_first(field: Any) -> Any:
        if continues and isinstance(field, str) and not field.strip():
            return field  # nothing to continue: the text begins here
        if tagged and (tokenize == "whitespace" or isinstance(field, list | tuple)):
            return fields.words(field)
        if source.kind == "series" and takes_time(run.template.cell):
            return _timed_series(field, source)
        value = read_field(field)
        if run.template.input != "audio":
            return value
        samples, rate = value
        if rate != run.template.sample_rate and not resample:
            raise SeqzooError(
                f"has {rate:,} samples per second, but the model was trained with "
                f"{run.template.sample_rate:,}; --resample converts it"
            )
        return resampled(samples, rate, run.template.sample_rate)

    return read


def _joined(
    field: Any,
    names: Sequence[str],
    read_first: Callable[[Any], Any],
    further: dict[str, Callable[[Any], Any]],
) -> dict[str, Any]:
    """Several inputs: columns of a file, or a JSON object as text.

    Args:
        field: a dictionary, or JSON text.
        names: the names of all inputs, in order.
        read_first: reads the first input.
        further: functions that read the other inputs, by name.

    Raises:
        SeqzooError: an input is missing or malformed.
    """
    listed = some_of(list(map(repr, names)))
    if isinstance(field, str):
        try:
            field = json.loads(field)
        except (ValueError, RecursionError):
            field = None
    if not isinstance(field, dict):
        example = json.dumps(dict.fromkeys(names, "..."), ensure_ascii=False)
        raise SeqzooError(
            f"must have the inputs {listed}; predict from a file with --input-file, or write "
            f"{example}"
        )
    if unknown := [key for key in field if key not in (FIRST, *names)]:
        raise SeqzooError(
            f"must have the inputs {listed}, but has {unknown[0]!r}"
            f"{nearest(unknown[0], names)[:-1]}"
        )
    results = {}
    for name in names:
        key = FIRST if name == names[0] and FIRST in field else name
        if key not in field:
            raise SeqzooError(
                f"must have the inputs {listed}, but lacks {name!r}{nearest(name, field)[:-1]}"
            )
        try:
            results[name] = (further.get(name) or read_first)(field[key])
        except SeqzooError as error:
            raise SeqzooError(f"has an input {name!r} that {error}") from error
    return results


def _timed_series(field: Any, source: Source) -> Any:
    """A series with the times of its steps: two columns of a file, or a JSON object as text.

    Raises:
        SeqzooError: it has no times, or not one per step.
    """
    if isinstance(field, str) and field.lstrip().startswith("{"):
        try:
            field = json.loads(field)
        except (ValueError, RecursionError) as error:
            raise SeqzooError(f"is not a JSON object ({error})") from error
    if not isinstance(field, dict) or not {VALUES, TIMES} <= field.keys():
        raise SeqzooError(
            "lacks the times of its steps; predict from a file with --time-column, or write "
            '{"values": [1.5, 2], "times": [0, 0.5]}'
        )
    values, times = fields.series(field[VALUES]), fields.times(field[TIMES])
    if problem := fault(times, len(values), source.time_values):
        raise SeqzooError(f"has invalid times: `times` {problem}")
    return timed(values, times, source)
