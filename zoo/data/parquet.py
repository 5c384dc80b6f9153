"""Parquet files, read batch by batch, with values as in JSON Lines."""

import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data.arrow_tables import ArrowTable, reason, rows_at_once
from seqzoo.zoo.data.records import BLOCK, Records, Request, read_bytes

MAGIC = b"PAR1"
"""The first bytes of every Parquet file that is not encrypted."""


def read(path: pathlib.Path, request: Request) -> Records:
    """The rows of a file, with only the needed columns, read batch by batch.

    Raises:
        SeqzooError: it cannot be read, lacks a column, or has no rows.
    """
    return ParquetTable(path).records(request)


class ParquetTable(ArrowTable):
    """An open Parquet file.

    Args:
        path: the file, which may be compressed (.gz).

    Raises:
        SeqzooError: it cannot be opened, is not a Parquet file, or two columns have the same name.
    """

    def __init__(self, path: pathlib.Path):
        compressed = path.name.lower().endswith(".gz")
        data = read_bytes(path) if compressed else _beginning(path)
        if not data.startswith(MAGIC):
            raise SeqzooError(f"{path} is not a Parquet file: it begins with {data[:4]!r}.")
        try:
            # In buffered reads, as row groups may be larger than memory.
            source = pa.BufferReader(data) if compressed else str(path)
            self._file = pq.ParquetFile(source, buffer_size=BLOCK, pre_buffer=False)
            schema = self._file.schema_arrow
        except (pa.ArrowException, OSError) as error:
            raise SeqzooError(f"{path} cannot be read: {reason(error)}.") from error
        super().__init__(path, schema)

    def record_batches(self, columns: Sequence[str]) -> Iterator[Any]:
        for group in range(self._file.num_row_groups):
            rows = self._rows_at_once(group, columns)
            # One thread, so that the columns' pages are not decoded far ahead of their use.
            yield from self._file.iter_batches(
                rows, row_groups=[group], columns=list(columns), use_threads=False
            )

    def _rows_at_once(self, group: int, columns: Sequence[str]) -> int:
        """The number of rows of a row group to decode together."""
        about = self._file.metadata.row_group(group)
        stored = map(about.column, range(about.num_columns))
        sizes = [
            column.total_uncompressed_size
            for column in stored
            if column.path_in_schema in columns
            or column.path_in_schema.partition(".")[0] in columns
        ]
        return rows_at_once(sum(sizes), about.num_rows)


def _beginning(path: pathlib.Path) -> bytes:
    """The first bytes of a file."""
    try:
        with path.open("rb") as file:
            data = file.read(len(MAGIC))
    except OSError as error:
        raise SeqzooError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not data:
        raise SeqzooError(f"{path} is empty.")
    return data
