"""Parquet files, read batch by batch, with values as in JSON Lines."""

import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data.arrow_tables import ROWS, ArrowTable, reason
from seqzoo.zoo.data.records import Records, Request, read_bytes

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
            self._file = pq.ParquetFile(pa.BufferReader(data) if compressed else str(path))
            schema = self._file.schema_arrow
        except (pa.ArrowException, OSError) as error:
            raise SeqzooError(f"{path} cannot be read: {reason(error)}.") from error
        super().__init__(path, schema)

    def record_batches(self, columns: Sequence[str]) -> Iterator[Any]:
        return self._file.iter_batches(ROWS, columns=list(columns))


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
