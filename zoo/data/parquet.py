"""Parquet files, batch by batch: their values as JSON Lines would hold them."""

import pathlib
import re
from collections.abc import Collection, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data.delimited import check_names
from seqzoo.zoo.data.records import Chunk, Record, Records, Request, choose_columns, read_bytes

ROWS = 4096
"""Rows that are decoded together."""

MAGIC = b"PAR1"
"""Begins every Parquet file that is not encrypted."""

FILE = {"bytes", "path"}
"""The fields of a structure that holds a file, as Hugging Face's `datasets` writes images and
sound."""

_ZEROS = re.compile(r"\.0+(?=\D|$)|(?<=\.)(\d*[1-9])0+(?=\D|$)")
"""Zeros at the end of fractions of seconds."""


def read(path: pathlib.Path, request: Request) -> Records:
    """The rows of a file, of the needed columns alone, a batch at a time.

    Raises:
        SeqzooError: it cannot be read, has no such columns, or no rows.
    """
    table = ParquetTable(path)
    columns = choose_columns(path, table.names, request)

    def records() -> Iterator[Record]:
        for number, row in enumerate(table.rows(set(columns.values())), 1):
            yield Record(number, {role: row[name] for role, name in columns.items()})

    def chunks() -> Iterator[Chunk]:
        number = 1
        for count, found in table.batches(set(columns.values())):
            fields = {role: found[name] for role, name in columns.items()}
            yield Chunk(range(number, number + count), fields)
            number += count

    return Records(
        str(path), records(), unit="row", columns=columns, names=table.names, chunks=chunks
    )


class ParquetTable:
    """An open Parquet file; `rows` reads its contents.

    Args:
        path: the file, which may be compressed (.gz).

    Attributes:
        names: its columns' names.

    Raises:
        SeqzooError: it cannot be opened, is no Parquet file, or two columns have one name.
    """

    def __init__(self, path: pathlib.Path):
        self.path = path
        packed = path.name.lower().endswith(".gz")
        data = read_bytes(path) if packed else _beginning(path)
        if not data.startswith(MAGIC):
            raise SeqzooError(f"{path} is not a Parquet file: it begins with {data[:4]!r}.")
        try:
            self._file = pq.ParquetFile(pa.BufferReader(data) if packed else str(path))
            self.names = tuple(self._file.schema_arrow.names)
        except (pa.ArrowException, OSError) as error:
            raise SeqzooError(f"{path} cannot be read: {_reason(error)}.") from error
        check_names(path, self.names, "", typed=True)

    def rows(self, columns: Collection[str | None] | None = None) -> Iterator[dict[str, Any]]:
        """The rows in their order.

        Text, numbers, truth values and lists are what they are, a list of floats a NumPy array.
        Dates and times are text as CSV has it ("2020-01-31 12:00:00"), decimal numbers too. A
        structure of "bytes" and "path" is the file that it holds, bytes, or else the path. What
        is missing is None.

        Args:
            columns: those that are needed, of which those that there are none of are left out;
                None for all.

        Raises:
            SeqzooError: the file has no rows, or is damaged.
        """
        for count, found in self.batches(columns):
            for row in zip(*found.values(), strict=True) if found else [()] * count:
                yield dict(zip(found, row, strict=True))

    def batches(
        self, columns: Collection[str | None] | None = None
    ) -> Iterator[tuple[int, dict[str, list[Any]]]]:
        """Some rows after others, their number and their columns; see `rows`."""
        names = [name for name in self.names if columns is None or name in columns]
        if not self._file.metadata.num_rows:
            raise SeqzooError(f"{self.path} has no rows ({', '.join(self.names)}).")
        count = 0
        try:
            for batch in self._file.iter_batches(ROWS, columns=names):
                yield batch.num_rows, {name: _values(batch.column(name)) for name in names}
                count += batch.num_rows
        except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
            raise SeqzooError(
                f"{self.path} cannot be read from row {count + 1} on: {_reason(error)}."
            ) from error


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


def _reason(error: Exception) -> str:
    return str(error).partition("\n")[0].strip().rstrip(".")


def _values(column: Any) -> list[Any]:
    """The values of a `pyarrow.Array`; see `ParquetTable.rows`."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if pa.types.is_date(kind) or pa.types.is_time(kind) or pa.types.is_timestamp(kind):
        times = column.cast(pa.string()).to_pylist()
        return [time and _ZEROS.sub(r"\1", time) for time in times]
    if pa.types.is_decimal(kind):
        return [None if own is None else str(own) for own in column.to_pylist()]
    if _is_list(kind) and pa.types.is_floating(kind.value_type):
        arrays = (own.values for own in column)
        return [own if own is None else own.to_numpy(zero_copy_only=False) for own in arrays]
    if pa.types.is_struct(kind) and {field.name for field in kind} == FILE:
        files = column.to_pylist()
        return [own and (own["path"] if own["bytes"] is None else own["bytes"]) for own in files]
    try:
        return column.to_pylist()
    except UnicodeDecodeError:  # text that is not UTF-8: the reader of the field adds the location
        return column.cast(pa.large_binary()).to_pylist()


def _is_list(kind: Any) -> bool:
    types = pa.types
    return types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
