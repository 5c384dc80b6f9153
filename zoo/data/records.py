"""The contract of file readers: they take a request and yield one record per example.

A reader is a function `read(path, request) -> Records`. It finds the columns and splits a file into
records; `examples` then interprets the fields, in the same way for all formats.
"""

import codecs
import contextlib
import gzip
import pathlib
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from seqzoo.tasks.data.column_names import split_names
from seqzoo.tasks.data.npz_members import MAX_COMPRESSION_RATIO
from seqzoo.tasks.errors import SeqzooError, nearest, some_of, unreadable
from seqzoo.zoo.data.source import Source


class NoRows(SeqzooError):
    """A table has a header and no rows; among several files, others may have rows."""


_SURROGATE = re.compile("[\udc80-\udcff]")
"""Lone surrogates, with which the error handler "surrogateescape" replaces bytes that are not
UTF-8."""

PROBED_BYTES = 1 << 25
"""Number of bytes of a compressed file from which its compression ratio is estimated."""

BLOCK = 1 << 20
"""Number of bytes of a file that are read at once."""

INPUT, TARGET, SPLIT = "input", "target", "split_column"
WEIGHT, TIME, SENTENCE = "weight_column", "time_column", "sentence_column"
SERIES = "series_column"
"""Roles of columns: the fields of a source that name them."""

STEP = "step_values."
"""Prefix of the roles of the second and further columns with the values of steps, in tables with a
row per step; the column's name follows."""

FURTHER = "further_inputs."
"""Prefix of the role of an additional input; its name follows."""


def further_roles(source: Source) -> dict[str, str]:
    """The roles of a source's additional inputs, with the kind of each."""
    return {f"{FURTHER}{name}": kind for name, kind in source.further_inputs.items()}


def step_columns(source: Source) -> list[str]:
    """The columns with the values of steps, in a table with a row per step.

    Raises:
        SeqzooError: the source names none.
    """
    if source.input is None:
        raise SeqzooError(
            f"`input` must name the columns of {source.data} with the values of each step, such as "
            "x,y,z.",
            field="input",
        )
    return split_names(source.input)


def step_roles(source: Source) -> tuple[str, ...]:
    """The roles of the columns that only tables with a row per step have."""
    if not source.has_steps_in_rows:
        return ()
    return (SERIES, *(f"{STEP}{name}" for name in step_columns(source)[1:]))


@dataclass(frozen=True)
class Request:
    """The columns to read from a file, and how to read them.

    Attributes:
        source: the kinds, the column names and the delimiter.
        roles: the columns that are needed: `INPUT`, and in training `TARGET`, `SPLIT` and `WEIGHT`.
        strict: whether a malformed record is an error, as in training, instead of being yielded
            with a description of its error, as for predictions.
        width: number of values per step of the series that a model was trained on; None in
            training.
    """

    source: Source
    roles: tuple[str, ...] = (INPUT,)
    strict: bool = True
    width: int | None = None

    def name(self, role: str) -> str | None:
        """The name of the column of a role; None if the source does not name one."""
        if role.startswith(STEP):
            return role.removeprefix(STEP)
        if role == INPUT and self.source.has_steps_in_rows:
            return step_columns(self.source)[0]
        return role.removeprefix(FURTHER) if role in self.further else getattr(self.source, role)

    @property
    def further(self) -> tuple[str, ...]:
        """The roles of additional inputs."""
        return tuple(role for role in self.roles if role.startswith(FURTHER))


class Record(NamedTuple):
    """One example as it is stored in its file.

    Attributes:
        number: number of the line at which it begins, of the row, or of the example.
        fields: text or other values, by role; empty if the record is malformed.
        error: what is wrong with the record, such as "has 3 fields, expected 2 (text, label)";
            empty if it is valid.
    """

    number: int
    fields: Mapping[str, Any]
    error: str = ""


class Chunk(NamedTuple):
    """Consecutive records.

    Attributes:
        numbers: see `Record`.
        fields: the fields of all records, by role.
    """

    numbers: Sequence[int]
    fields: Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Records:
    """The records of a file.

    Attributes:
        name: name of the file or the split, for messages.
        records: one per example, in order.
        unit: what the numbers of records count: "line", "row" or "example"; empty if they mean
            nothing to a user.
        columns: the name of each role's column, for messages; empty for a file without columns.
        names: names of all columns of the file.
        notes: sentences that say how the file was read.
        locations: the text after the unit in the location of each record, by number, if that is not
            the number itself.
        chunks: yields the records in order, many at once, which is several times as fast; None
            instead of a chunk means that a record is malformed, and ends the iteration. None if the
            format has no faster way.
        delimiter: the delimiter of a file with delimited fields; empty for other formats.
    """

    name: str
    records: Iterable[Record]
    unit: str = "line"
    columns: Mapping[str, str] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    locations: Sequence[str] = ()
    chunks: Callable[[], Iterator["Chunk | None"]] | None = None
    delimiter: str = ""

    def location(self, number: int) -> str:
        """The location of a record, from its number: "reviews.csv, line 18"."""
        if self.locations:
            return f"{self.unit} {self.line(number)}"
        return f"{self.name}, {self.unit} {number}" if self.unit else self.name

    def line(self, number: int) -> int | str:
        """The text after the unit in the location of a record: "18", or "18 of parts/2.csv"."""
        return self.locations[number] if self.locations else number


def choose_columns(path: object, names: Sequence[str], request: Request) -> dict[str, str]:
    """The column of each role.

    Raises:
        SeqzooError: a column does not exist, or is not named although there are several.
    """
    chosen, known = {}, set(names)
    listed = some_of(names)
    for role in request.roles:
        name, field = request.name(role), role.partition(".")[0]
        if name is None and len(names) == 1 and request.roles == (INPUT,):
            name = names[0]
        if name is None:
            raise SeqzooError(f"`{field}` must name a column of {path}: {listed}.", field=field)
        if name not in known:
            nested = re.split(r"[./]", name)[0] in known
            advice = "; it has no such fields, so write them as columns of their own."
            raise SeqzooError(
                f"`{field}` must name a column of {path} ({listed}), got {name!r}"
                f"{advice if nested else nearest(name, names)}",
                field=field,
                got=name,
            )
        chosen[role] = name
    return chosen


def refuse_columns(path: object, request: Request, *, named: bool = True) -> None:
    """Checks that a format without columns is asked only for inputs and targets.

    Args:
        path: the file, for messages.
        request: the request.
        named: whether the request may name the columns of inputs and targets, by their numbers.

    Raises:
        SeqzooError: the request names another column.
    """
    for role in () if named else (INPUT, TARGET):
        if getattr(request.source, role) is not None:
            raise SeqzooError(
                f"`{role}` names a column, and {path} has none; leave it out.", field=role
            )
    for role in (SPLIT, WEIGHT, TIME, *request.further):
        if role in request.roles:
            field = role.partition(".")[0]
            raise SeqzooError(f"`{field}` is for tables and arrays, got {path}.", field=field)


def read_bytes(path: pathlib.Path, *, blank: bool = False) -> bytes:
    """The contents of a file, which may be compressed (.gz).

    Args:
        path: the file.
        blank: whether it may be empty or contain only whitespace and a byte order mark.

    Raises:
        SeqzooError: it cannot be read, or is empty.
    """
    try:
        data = path.read_bytes()
        if path.name.lower().endswith(".gz"):
            check_packed(path)
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(path, error) from error
    if not blank and not data.removeprefix(codecs.BOM_UTF8).strip():
        raise SeqzooError(f"{path} is empty.")
    return data


def check_packed(path: pathlib.Path) -> None:
    """Checks that a compressed file is not a decompression bomb, a small file that would fill the
    memory.

    Raises:
        SeqzooError: the compression ratio is too high.
    """
    with (
        contextlib.suppress(OSError, EOFError, zlib.error),
        open(path, "rb") as packed,
        gzip.GzipFile(fileobj=packed) as file,
    ):
        count = 0
        while packed.tell() < PROBED_BYTES and (block := file.read(1 << 20)):
            count += len(block)
            if count > max(packed.tell() * MAX_COMPRESSION_RATIO, PROBED_BYTES):
                raise SeqzooError(
                    f"{path} unpacks to over {MAX_COMPRESSION_RATIO} times its size, which no real "
                    "data set does."
                )


def read_text(path: pathlib.Path, *, blank: bool = False, strict: bool = True) -> str:
    """The contents of a file in UTF-8, which may be compressed (.gz).

    Args:
        path: the file.
        blank: whether it may be empty or contain only whitespace and a byte order mark.
        strict: whether bytes that are not UTF-8 are an error; otherwise they become lone
            surrogates, which `undecoded` finds in a record.

    Raises:
        SeqzooError: it cannot be read, is empty, or is not UTF-8.
    """
    data = read_bytes(path, blank=blank)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise SeqzooError(f"{path} is UTF-16; save the file as UTF-8.") from error
        if not strict:
            return data.decode("utf-8-sig", "surrogateescape")
        start = data.rfind(b"\n", 0, error.start) + 1
        line = data.count(b"\n", 0, error.start) + 1
        raise SeqzooError(
            f"{path}, line {line}, byte {error.start - start + 1}: {data[error.start]:#04x} is not "
            f"UTF-8; save the file as UTF-8.",
            location=f"{path}, line {line}",
        ) from error


class TextFile:
    """A file in UTF-8 that is read in blocks, so it may be larger than memory; it may be compressed
    (.gz).

    Args:
        path: the file.
        strict: see `read_text`.

    Raises:
        SeqzooError: it cannot be read, is empty, or is UTF-16.
    """

    def __init__(self, path: pathlib.Path, *, strict: bool = True):
        self.path = path
        self.strict = strict
        if path.name.lower().endswith(".gz"):
            check_packed(path)
        blocks = self.blocks()
        block = next(blocks, b"")
        utf_16 = block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        blank = not block.removeprefix(codecs.BOM_UTF8).strip()
        if utf_16 or (blank and not any(item.strip() for item in blocks)):
            self.text()

    def blocks(self) -> Iterator[bytes]:
        """The contents of the file, in blocks of bytes.

        Raises:
            SeqzooError: it cannot be read.
        """
        try:
            with self._open("rb") as file:
                while block := file.read(BLOCK):
                    yield block
        except (OSError, EOFError, zlib.error):
            self.text()
            raise

    def lines(self, newline: str = "") -> Iterator[str]:
        """The lines, including line endings.

        Args:
            newline: the line ending; empty for line feeds, carriage returns, or both.

        Raises:
            SeqzooError: the file cannot be read, or is not UTF-8.
        """
        errors = "strict" if self.strict else "surrogateescape"
        try:
            with self._open("rt", encoding="utf-8-sig", errors=errors, newline=newline) as file:
                yield from file
        except (OSError, EOFError, zlib.error, UnicodeDecodeError):
            self.text()
            raise

    def newline_delimited(self) -> Iterator[str]:
        """The lines without line endings, split only at line feeds; see `seqzoo.zoo.data.lines`."""
        for line in self.lines("\n"):
            yield line.removesuffix("\n").removesuffix("\r")

    def holds(self, part: bytes) -> bool:
        """Whether the file contains a sequence of bytes."""
        end = b""
        for block in self.blocks():
            if part in end + block:
                return True
            end = block[1 - len(part) :] if len(part) > 1 else b""
        return False

    def has_lone_returns(self) -> bool:
        """Whether the file has a carriage return that is not followed by a line feed."""
        end = b""
        for block in self.blocks():
            block = end + block
            end = block[-1:]
            if re.search(rb"\r(?!\n|\Z)", block):
                return True
        return end == b"\r"

    def text(self) -> str:
        """The complete text; raises the errors of `read_text`."""
        return read_text(self.path, strict=self.strict)

    def _open(self, mode: str, **options: Any) -> Any:
        opener: Any = gzip.open if self.path.name.lower().endswith(".gz") else open
        return opener(self.path, mode, **options)


def undecoded(text: str) -> str:
    """What is wrong with a text that has lone surrogates; empty if it has none."""
    match = _SURROGATE.search(text)
    if match is None:
        return ""
    byte = len(text[: match.start()].encode("utf-8", "surrogateescape")) + 1
    return f"is not UTF-8: byte {byte} is {ord(match[0]) - 0xDC00:#04x}"


def decoded(records: Iterator[Record], *, strict: bool) -> Iterator[Record]:
    """Records with an error wherever a text is not UTF-8.

    Args:
        records: records whose texts were decoded by `read_text`.
        strict: see `read_text`, which has already raised an error for such texts if this is true.
    """
    if strict:
        yield from records
        return
    for record in records:
        texts = (value for value in record.fields.values() if isinstance(value, str))
        error = next(filter(None, map(undecoded, texts)), "")
        yield Record(record.number, {}, error) if error else record
