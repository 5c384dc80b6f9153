"""Arrow files (.arrow, .feather), and the folders that `save_to_disk` of Hugging Face's `datasets`
writes: a data set, or one per split."""

import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data.arrow_tables import ROWS, ArrowTable, reason
from seqzoo.zoo.data.hugging_face import SPLIT_COLUMN, files_of
from seqzoo.zoo.data.records import Records, Request, read_bytes

MAGIC = b"ARROW1"
"""The first bytes of files in the file format; the stream format has no such mark."""


def read(path: pathlib.Path, request: Request) -> Records:
    """The rows of a file or a folder, with only the needed columns, read batch by batch.

    Raises:
        SeqzooError: it cannot be read, lacks a column, or has no rows.
    """
    return ArrowFiles(path).records(request)


class ArrowFiles(ArrowTable):
    """Arrow files, one after another; those of several splits have an additional column, "split".

    Args:
        path: a file, or a folder that `save_to_disk` wrote.

    Raises:
        SeqzooError: a file cannot be opened, or the columns of the files differ.
    """

    def __init__(self, path: pathlib.Path):
        self._files = files_of(path) if path.is_dir() else [(path, None)]
        schemas = {file: _schema(file) for file, _ in self._files}
        first, schema = next(iter(schemas.items()))
        for file, value in schemas.items():
            if value.names != schema.names:
                raise SeqzooError(
                    f"{file} must have the columns of {first} ({', '.join(schema.names)}), got "
                    f"{', '.join(value.names)}."
                )
        if self._files[0][1] is not None and SPLIT_COLUMN not in schema.names:
            schema = schema.append(pa.field(SPLIT_COLUMN, pa.string()))
        super().__init__(path, schema)

    def record_batches(self, columns: Sequence[str]) -> Iterator[Any]:
        for file, split in self._files:
            has_split = split is not None and SPLIT_COLUMN in columns
            for stored_batch in _batches(file):
                for start in range(0, stored_batch.num_rows, ROWS):
                    batch = stored_batch.slice(start, ROWS)
                    if has_split and SPLIT_COLUMN not in batch.schema.names:
                        names = pa.array([split] * batch.num_rows)
                        batch = batch.append_column(SPLIT_COLUMN, names)
                    yield batch


def _reader(file: pathlib.Path) -> Any:
    """An open reader of either format.

    Raises:
        SeqzooError: the file cannot be opened.
    """
    compressed = file.name.lower().endswith(".gz")
    try:
        file.stat()  # its error message is shorter than pyarrow's
        source = pa.BufferReader(read_bytes(file)) if compressed else pa.memory_map(str(file))
        if not source.size():
            raise SeqzooError(f"{file} is empty.")
        beginning = source.read(len(MAGIC))
        source.seek(0)
        return pa.ipc.open_file(source) if beginning == MAGIC else pa.ipc.open_stream(source)
    except (pa.ArrowException, OSError) as error:
        message = getattr(error, "strerror", None) or reason(error)
        raise SeqzooError(f"{file} cannot be read: {message}.") from error


def _schema(file: pathlib.Path) -> Any:
    return _reader(file).schema


def _batches(file: pathlib.Path) -> Iterator[Any]:
    opened = _reader(file)
    if isinstance(opened, pa.ipc.RecordBatchStreamReader):
        yield from opened
    else:
        yield from map(opened.get_batch, range(opened.num_record_batches))
