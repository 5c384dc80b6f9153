"""Large tables whose columns are encoded once and stay on disk, in the cache."""

import pathlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from seqzoo.tasks.data import cache
from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.data.stored_columns import (
    AT_ONCE,
    ClassColumn,
    DigestKeys,
    LocationColumn,
    NumberColumn,
    TextColumn,
    sort_digests,
)
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.kinds import TEXTS
from seqzoo.zoo.data import fields, formats
from seqzoo.zoo.data.examples import part_of, roles_of
from seqzoo.zoo.data.hugging_face import files_of
from seqzoo.zoo.data.records import INPUT, SPLIT, TARGET, WEIGHT, Chunk, Record, Records, Request
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.data.splits import Part, digests_of
from seqzoo.zoo.data.utf8 import Utf8Texts

LARGE_TABLE = 64_000_000
"""Minimum size of the files, in bytes, for examples to be read from disk by default."""

COMPRESSION_RATIO = 4
"""Assumed ratio of the size of a text to that of its compressed file."""

READING = (
    "target_kind",
    "input",
    "target",
    "split_column",
    "weight_column",
    "columns",
    "delimiter",
    "separator",
    "seed",
)
"""Fields of a source on which the stored data depend."""


def is_stored(paths: Sequence[pathlib.Path], source: Source) -> bool:
    """Whether the examples of some files are kept on disk.

    Raises:
        SeqzooError: the source requires it, but its kinds can only be kept in memory.
    """
    if source.storage == "memory":
        return False
    supported = (
        source.kind in TEXTS
        and source.target_kind in ("class", *TEXTS)
        and not source.further_inputs
        and source.time_column is None
        and not source.whole
        and all(_format_of(path, source) in formats.TABLES for path in paths)
    )
    if source.storage == "disk":
        if not supported:
            more = " and further inputs" if source.further_inputs else ""
            raise SeqzooError(
                "`storage` 'disk' is for tables with one text per row, whose targets are classes "
                f"or texts, got {source.data} with input {source.kind!r}{more} and target "
                f"{source.target_kind!r}; leave it out.",
                field="storage",
            )
        return True
    return supported and sum(map(_size, paths)) >= LARGE_TABLE


def _format_of(path: pathlib.Path, source: Source) -> str:
    lemmas = formats.reads_lemmas(source)
    return formats.format_of(str(path), delimiter=source.delimiter, lemmas=lemmas)


def _size(path: pathlib.Path) -> int:
    if path.is_dir():
        return sum(_size(file) for file, _ in files_of(path))
    try:
        size = path.stat().st_size
    except OSError:  # the reader reports the error
        return 0
    return size * COMPRESSION_RATIO if path.name.lower().endswith(".gz") else size


def read_stored(paths: Sequence[pathlib.Path], source: Source, name: str) -> Part:
    """The examples of some files, read from the cache, after storing them there if needed.

    Args:
        paths: the files.
        source: a source with absolute paths.
        name: the name of the files, for messages.

    Raises:
        SeqzooError: a record is malformed, the cache cannot be written, or the entry was removed
            at once.
    """
    options = {field: getattr(source, field) for field in READING}
    files = [_identity(path) for path in paths]
    key = f"table-{cache.digest_of('table', options, files)}"
    entry = cache.find(key)
    if entry is None:
        with cache.making(key) as writer:
            _Table(writer, source).store(paths, name)
        entry = cache.find_made(key)
    return _part(entry, source, name)


def _identity(path: pathlib.Path) -> list[Any]:
    """Values that identify a file and change when it changes."""
    if path.is_dir():
        return [str(path), *(_identity(file) for file, _ in files_of(path))]
    try:
        result = path.stat()
        return [str(path), result.st_size, result.st_mtime_ns, cache.file_digest(path)]
    except OSError:  # the reader reports the error
        return [str(path)]


def _part(entry: cache.Entry, source: Source, name: str) -> Part:
    """The examples of a cache entry."""
    metadata = entry.about

    def texts(role: str) -> TextColumn:
        offsets = entry.array(f"{role}-offsets")
        return TextColumn(entry.array(role), offsets, f"{entry.key}/{role}")

    def classes(role: str) -> ClassColumn:
        return ClassColumn(metadata["names"][role], entry.array(role)[:])

    has_text_targets = source.target_kind in TEXTS
    targets = texts(TARGET) if has_text_targets else classes(TARGET)
    numbers = entry.array("lines")
    files = metadata["files"]
    lines = NumberColumn(numbers)
    if len(files) > 1:
        lines = LocationColumn(numbers, files, metadata["starts"])
    weights = entry.array(WEIGHT)[:] if source.weight_column else None
    arrays = (entry.array(item) for item in ("digests", "order", "fresh"))
    size = entry.size / 1e6
    note = (
        f"Examples are read from disk, {size:,.0f} MB in {entry.folder} (--storage memory "
        "keeps them in memory)."
    )
    return Part(
        name,
        Examples(texts(INPUT), targets, lines, metadata["unit"], weights),
        DigestKeys(*arrays, seed=metadata["seed"]),
        None if has_text_targets else targets,
        classes(SPLIT) if source.split_column else None,
        (*metadata["notes"], note),
    )


class _Table:
    """Writes the examples of files to a cache entry.

    Args:
        writer: the writer of the cache entry.
        source: describes the fields.
    """

    def __init__(self, writer: cache.Writer, source: Source):
        self.writer = writer
        self.source = source
        self.has_text_targets = source.target_kind in TEXTS
        self.ends = {INPUT: 0, TARGET: 0}
        self.names: dict[str, dict[str, int]] = {TARGET: {}, SPLIT: {}}

    def store(self, paths: Sequence[pathlib.Path], name: str) -> None:
        """Writes the examples of all files.

        Raises:
            SeqzooError: a record is malformed.
        """
        roles = roles_of(self.source)
        units, notes, starts, count = [], dict[str, None](), [], 0
        for path in paths:
            starts.append(count)
            records = formats.read(path, Request(self.source, roles))
            if len(paths) > 1:
                records = replace(records, locations=_Locations(path))
            units.append(records.unit)
            notes |= dict.fromkeys(records.notes)
            before = count
            for chunk in records.chunks() if records.chunks else [None]:
                if chunk is not None:
                    self._append(chunk, records, path.parent)
                    count += len(chunk.numbers)
                    continue
                rows = islice(records.records, count - before, None)
                while some := list(islice(rows, AT_ONCE)):
                    self._append(_chunk(some), records, path.parent)
                    count += len(some)
        if not count:
            raise SeqzooError(f"{name} is empty.")
        order, fresh = sort_digests(self.writer.read("digests"))
        self.writer.append("order", order)
        self.writer.append("fresh", fresh)
        self.writer.about = {
            "what": name,
            "examples": count,
            "unit": units[0] if len(set(units)) == 1 else "row",
            "files": [str(path) for path in paths],
            "starts": starts,
            "names": {role: list(value) for role, value in self.names.items()},
            "notes": list(notes),
            "seed": self.source.seed,
        }

    def _append(self, chunk: Chunk | list[Record], records: Records, folder: pathlib.Path) -> None:
        """Writes some records; `part_of` raises the error if one is invalid."""
        columns = self._columns(chunk.fields) if isinstance(chunk, Chunk) else None
        weights = None
        if columns is None:
            part, _ = part_of(replace(records, records=_records(chunk)), self.source, folder)
            examples = part.examples
            weights = examples.weights
            target = _joined if self.has_text_targets else _distinct
            columns = {INPUT: _joined(examples.inputs), TARGET: target(examples.targets)}
            if part.splits is not None:
                columns[SPLIT] = _distinct(part.splits)
        for role, column in columns.items():
            if isinstance(column, Utf8Texts):
                self._texts(role, column)
            else:
                self._classes(role, column)
        if weights is not None:
            self.writer.append(WEIGHT, np.array(weights, np.float64))
        numbers = chunk.numbers if isinstance(chunk, Chunk) else [item.number for item in chunk]
        self.writer.append("lines", np.array(numbers, np.int64))
        inputs: Any = columns[INPUT]
        self.writer.append("digests", digests_of(inputs.encoded(), self.source.seed))

    def _columns(self, values: Mapping[str, Sequence[Any]]) -> dict[str, Any] | None:
        """The fields of some records by role: `Utf8Texts` or `_Classes`.

        None if a field is invalid, or of a type that is read one by one.
        """
        results: dict[str, Any] = {}
        for role, column in values.items():
            if role == INPUT or (role == TARGET and self.has_text_targets):
                results[role] = _plain_texts(column)
            elif role in (TARGET, SPLIT):
                results[role] = _labels(column)
            if results.get(role) is None:
                return None
        return results

    def _texts(self, role: str, texts: Utf8Texts) -> None:
        if not self.ends[role]:
            self.writer.append(f"{role}-offsets", np.zeros(1, np.int64))
        ends = texts.ends + self.ends[role]
        self.ends[role] = int(ends[-1])
        self.writer.append(role, texts.data)
        self.writer.append(f"{role}-offsets", ends)

    def _classes(self, role: str, column: "_Classes") -> None:
        names = self.names[role]
        before = len(names)
        codes = [names.setdefault(value, len(names)) for value in column.names]
        if before <= 1 << 8 < len(names):
            self.writer.widen(role, "uint16")
        if before <= 1 << 16 < len(names):
            self.writer.widen(role, "uint32")
        self.writer.append(role, np.array(codes, narrow(len(names)))[column.indices])


class _Locations(Sequence[str]):
    """The text after the unit in the location of each record of one of several files, as in memory:
    "18 of parts/2.csv"."""

    def __init__(self, file: pathlib.Path):
        self.file = file

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: Any) -> Any:
        return f"{index} of {self.file}"


class _Classes(NamedTuple):
    """The classes of some records.

    Attributes:
        names: names in order of first occurrence.
        indices: each record's index in `names`, (records,).
    """

    names: list[str]
    indices: np.ndarray


def _distinct(values: Iterable[Any]) -> _Classes:
    """The distinct values, which must be hashable, and each value's index among them."""
    known: dict[Any, int] = {}
    indices = [known.setdefault(value, len(known)) for value in values]
    return _Classes(list(known), np.array(indices, np.int32))


def _labels(values: Sequence[Any]) -> _Classes | None:
    """Fields as classes; None if one is not a class, or not text, a whole number or a boolean."""
    if isinstance(values, Utf8Texts):
        found = _Classes(*values.distinct())
    elif len(set(map(type, values))) == 1 and isinstance(values[0], str | bool | int):
        found = _distinct(values)  # of one type, since 1 == True
    else:
        return None
    try:
        return found._replace(names=[fields.label(name) for name in found.names])
    except SeqzooError:  # reading one by one adds the location
        return None


def _joined(texts: Iterable[str]) -> Utf8Texts:
    """Joins texts into one array.

    Raises:
        UnicodeEncodeError: one has a lone surrogate.
    """
    encoded = [text.encode() for text in texts]
    lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
    return Utf8Texts(np.frombuffer(b"".join(encoded), np.uint8), np.cumsum(lengths))


def _chunk(records: list[Record]) -> Chunk | list[Record]:
    """Records as a `Chunk`; unchanged if one is malformed."""
    if any(record.error for record in records):
        return records
    values = {role: [item.fields[role] for item in records] for role in records[0].fields}
    return Chunk([record.number for record in records], values)


def _records(chunk: Chunk | list[Record]) -> list[Record]:
    """The inverse of `_chunk`."""
    if not isinstance(chunk, Chunk):
        return chunk
    rows = zip(*chunk.fields.values(), strict=True)
    return [
        Record(number, dict(zip(chunk.fields, row, strict=True)))
        for number, row in zip(chunk.numbers, rows, strict=True)
    ]


def narrow(count: int) -> str:
    """The smallest dtype for the indices of `count` values."""
    return "uint8" if count <= 1 << 8 else "uint16" if count <= 1 << 16 else "uint32"


def _plain_texts(values: Sequence[Any]) -> Utf8Texts | None:
    """The values, if all are non-blank texts, otherwise None."""
    if isinstance(values, Utf8Texts):
        return None if values.has_blank() else values
    try:
        return _joined(values) if all(map(str.strip, values)) else None
    except (TypeError, UnicodeEncodeError):
        return None
