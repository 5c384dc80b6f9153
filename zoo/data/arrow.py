"""Arrow files (.arrow, .feather), and the folders that `save_to_disk` of Hugging Face's `datasets`
writes: a data set, or one per split."""

import itertools
import mmap
import pathlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from seqzoo.tasks.data.cache import MAPPED
from seqzoo.tasks.errors import SeqzooError, some_of
from seqzoo.zoo.data.arrow_tables import ArrowTable, columns_of, reason, rows_at_once
from seqzoo.zoo.data.hugging_face import SPLIT_COLUMN, files_of
from seqzoo.zoo.data.records import TARGET, Records, Request, read_bytes

_Files = Sequence[tuple[pathlib.Path, str | None]]
"""Files, each with the name of its split, or None."""

MAGIC = b"ARROW1"
"""The first bytes of files in the file format; the stream format has no such mark."""


def read(path: pathlib.Path, request: Request) -> Records:
    """The rows of a file or a folder, with only the needed columns, read batch by batch.

    Raises:
        SeqzooError: it cannot be read, lacks a column, or has no rows.
    """
    files = ArrowFiles(path)
    column = request.name(TARGET) if TARGET in request.roles else None
    notes = files.leave_out_unlabelled(column) if column and column in files.names else ()
    records = files.records(request)
    return replace(records, notes=(*records.notes, *notes))


class ArrowFiles(ArrowTable):
    """Arrow files, one after another; those of several splits have an additional column, "split".

    Args:
        path: a file, or a folder that `save_to_disk` wrote.

    Raises:
        SeqzooError: a file cannot be opened, or the columns of the files differ.
    """

    def __init__(self, path: pathlib.Path):
        self._files = files_of(path) if path.is_dir() else [(path, None)]
        schemas = {file: _ArrowFile(file).schema for file, _ in self._files}
        first, schema = next(iter(schemas.items()))
        for file, value in schemas.items():
            if value.names != schema.names:
                raise SeqzooError(
                    f"{file} must have the columns of {first} ({some_of(schema.names)}), got "
                    f"{some_of(value.names)}."
                )
        if self._files[0][1] is not None and SPLIT_COLUMN not in schema.names:
            schema = schema.append(pa.field(SPLIT_COLUMN, pa.string()))
        super().__init__(path, schema)

    def leave_out_unlabelled(self, column: str) -> tuple[str, ...]:
        """Leaves out splits in which no value of a column is known, such as test splits whose
        labels are not published; returns a note on each."""
        labelled, notes = [], []
        for split, group in itertools.groupby(self._files, lambda item: item[1]):
            files = list(group)
            if split is None or self._labels_known(files, column):
                labelled += files
            else:
                notes.append(f"The split {split!r} is left out: {column!r} is missing in all rows.")
        if labelled:
            self._files = labelled
        return tuple(notes if labelled else ())

    def _labels_known(self, files: _Files, column: str) -> bool:
        """Whether a column has a value, or a list with a value, that is neither null nor -1, the
        missing class, nor an empty text."""
        try:
            for batch in self._batches(files, [self._paths[column][0]]):
                arrays = {column: self.array(batch, column)}
                if any(map(_is_known, columns_of(arrays, self._classes)[column])):
                    return True
            return False
        except (pa.ArrowException, OSError, ValueError):  # reported with its row when it is read
            return True

    def record_batches(self, columns: Sequence[str]) -> Iterator[Any]:
        return self._batches(self._files, columns)

    def _batches(self, files: _Files, columns: Sequence[str]) -> Iterator[Any]:
        for file, split in files:
            has_split = split is not None and SPLIT_COLUMN in columns
            opened = _ArrowFile(file)
            for stored_batch in opened.batches():
                needed = [name for name in stored_batch.schema.names if name in columns]
                stored_batch = stored_batch.select(needed)
                size, count = stored_batch.get_total_buffer_size(), stored_batch.num_rows
                rows = rows_at_once(size, count)
                for start in range(0, count, rows):
                    batch = stored_batch.slice(start, rows)
                    if has_split and SPLIT_COLUMN not in batch.schema.names:
                        names = pa.array([split] * batch.num_rows)
                        batch = batch.append_column(SPLIT_COLUMN, names)
                    yield batch
                    opened.release(size * batch.num_rows // count)


def _is_known(value: Any) -> bool:
    if isinstance(value, list | np.ndarray):
        return any(map(_is_known, value))
    return value is not None and str(value).strip() != ""


class _ArrowFile:
    """One file of either format, mapped into memory; pages that were read are released, so that it
    may be larger than memory.

    Args:
        file: the file, which may be compressed (.gz).

    Attributes:
        schema: its `pyarrow.Schema`.

    Raises:
        SeqzooError: the file cannot be opened.
    """

    def __init__(self, file: pathlib.Path):
        self._touched = 0
        self._mapped: Any = None
        compressed = file.name.lower().endswith(".gz")
        try:
            if not compressed and not file.stat().st_size:
                raise SeqzooError(f"{file} is empty.")
            self._data = pa.py_buffer(read_bytes(file) if compressed else self._map(file))
            self.schema = self._open().schema
        except (pa.ArrowException, OSError) as error:
            message = getattr(error, "strerror", None) or reason(error)
            raise SeqzooError(f"{file} cannot be read: {message}.") from error

    def _map(self, file: pathlib.Path) -> Any:
        with file.open("rb") as opened:
            self._mapped = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
        return self._mapped

    def _open(self) -> Any:
        source = pa.BufferReader(self._data)
        is_file = self._data.slice(0, len(MAGIC)).to_pybytes() == MAGIC
        return pa.ipc.open_file(source) if is_file else pa.ipc.open_stream(source)

    def batches(self) -> Iterator[Any]:
        """Each `pyarrow.RecordBatch`; without compression its columns are not read before use.

        (pyarrow would copy the columns that `IpcReadOptions.included_fields` selects.)
        """
        opened = self._open()
        if isinstance(opened, pa.ipc.RecordBatchStreamReader):
            yield from opened
        else:
            yield from map(opened.get_batch, range(opened.num_record_batches))

    def release(self, size: int) -> None:
        """Counts bytes that were read, and releases their pages before they fill the memory."""
        self._touched += size
        if self._touched > MAPPED and hasattr(self._mapped, "madvise"):  # not on Windows
            self._touched = 0
            self._mapped.madvise(mmap.MADV_DONTNEED)
