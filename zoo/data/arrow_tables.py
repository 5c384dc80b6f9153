"""Tables of Arrow columns, read batch by batch, with values as in JSON Lines."""

import json
import pathlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seqzoo.tasks.errors import SeqzooError, some_of
from seqzoo.zoo.data.delimited import check_names
from seqzoo.zoo.data.records import (
    BLOCK,
    Chunk,
    NoRows,
    Record,
    Records,
    Request,
    choose_columns,
)
from seqzoo.zoo.data.utf8 import Utf8Texts

ROWS = 4096
"""Maximum number of rows that are decoded together."""

FILE = {"bytes", "path"}
"""The fields of a struct that contains a file, as Hugging Face's `datasets` stores images and
audio."""

HUGGING_FACE = b"huggingface"
"""The entry of a schema's metadata in which `datasets` describes its columns."""

_TRAILING_ZEROS = re.compile(r"\.0+(?=\D|$)|(?<=\.)(\d*[1-9])0+(?=\D|$)")
"""Trailing zeros of fractions of seconds."""


class ArrowTable:
    """A table that is read batch by batch; a format defines `record_batches`.

    Args:
        path: the path of the file or the folder.
        schema: its `pyarrow.Schema`.

    Attributes:
        names: the names of its columns; those of the fields of structs, other than files, are
            "translation.en".

    Raises:
        SeqzooError: two columns have the same name.
    """

    def __init__(self, path: pathlib.Path, schema: Any):
        self.path = path
        check_names(path, schema.names, "", typed=True)
        self._paths = {name: names for name, names in _paths(schema)}
        self.names = tuple(self._paths)
        self._classes = class_names(schema)

    def record_batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """Yields each `pyarrow.RecordBatch`: at most `ROWS` rows, with at least these columns."""
        raise NotImplementedError

    def batches(
        self, columns: Collection[str | None] | None = None, *, encoded: bool = False
    ) -> Iterator[tuple[int, dict[str, Sequence[Any]]]]:
        """The number of rows and the columns of each batch; see `rows`.

        Args:
            columns: the columns that are needed; None for all.
            encoded: whether texts may be `Utf8Texts`, which is many times as fast.
        """
        names = [name for name in self.names if columns is None or name in columns]
        count = 0
        try:
            for batch in self.record_batches(list({self._paths[name][0] for name in names})):
                arrays = {name: self.array(batch, name) for name in names}
                yield batch.num_rows, columns_of(arrays, self._classes, encoded=encoded)
                count += batch.num_rows
        except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
            raise SeqzooError(
                f"{self.path} cannot be read from row {count + 1} on: {reason(error)}."
            ) from error
        finally:
            # Arrow's own allocator keeps tens of MB that nothing else could use.
            pa.default_memory_pool().release_unused()
        if not count:
            raise NoRows(f"{self.path} has no rows ({some_of(self.names)}).")

    def array(self, batch: Any, name: str) -> Any:
        """The `pyarrow.Array` of a column of a batch."""
        column, *fields = self._paths[name]
        return pc.struct_field(batch.column(column), fields) if fields else batch.column(column)

    def rows(self, columns: Collection[str | None] | None = None) -> Iterator[dict[str, Any]]:
        """The rows in order, with values as `columns_of` returns them.

        Args:
            columns: the columns that are needed; names that the table lacks are ignored. None for
                all.

        Raises:
            SeqzooError: the table has no rows, or is damaged.
        """
        for count, values in self.batches(columns):
            for row in zip(*values.values(), strict=True) if values else [()] * count:
                yield dict(zip(values, row, strict=True))

    def records(self, request: Request) -> Records:
        """The rows, with only the columns that are needed.

        Raises:
            SeqzooError: the table lacks a column, or has no rows.
        """
        columns = choose_columns(self.path, self.names, request)

        def records() -> Iterator[Record]:
            for number, row in enumerate(self.rows(set(columns.values())), 1):
                yield Record(number, {role: row[name] for role, name in columns.items()})

        def chunks() -> Iterator[Chunk]:
            number = 1
            for count, values in self.batches(set(columns.values()), encoded=True):
                fields = {role: values[name] for role, name in columns.items()}
                yield Chunk(range(number, number + count), fields)
                number += count

        return Records(
            str(self.path), records(), "row", columns=columns, names=self.names, chunks=chunks
        )


def _paths(schema: Any) -> Iterator[tuple[str, list[str]]]:
    """The name of each column, and the names of the fields that lead to it, from outside to inside.
    A column comes before a field of a struct with the same name."""

    def within(field: Any, path: list[str]) -> Iterator[list[str]]:
        path = [*path, field.name]
        if pa.types.is_struct(field.type) and {item.name for item in field.type} not in (
            FILE,
            set(),
        ):
            for item in field.type:
                yield from within(item, path)
        else:
            yield path

    for field in schema:
        for path in within(field, []):
            if len(path) == 1 or ".".join(path) not in schema.names:
                yield ".".join(path), path


def rows_at_once(size: int, rows: int) -> int:
    """The number of rows to decode together: at most `ROWS`, and about `BLOCK` bytes.

    Args:
        size: the size of some rows, in bytes.
        rows: their number.
    """
    return max(1, min(ROWS, BLOCK * rows // max(size, 1)))


def reason(error: Exception) -> str:
    """The first line of an error's message, without the full stop."""
    return str(error).partition("\n")[0].strip().rstrip(".")


def class_names(schema: Any) -> dict[str, list[str]]:
    """The class names of each column of integers, or of lists of integers, for which Hugging Face's
    `datasets` stored them (`ClassLabel`).

    Args:
        schema: the `pyarrow.Schema` of the file.
    """
    try:
        metadata = json.loads((schema.metadata or {}).get(HUGGING_FACE, b"{}"))
        features = metadata["info"]["features"]
        inner = {name: _of_items(feature) for name, feature in features.items()}
        return {
            name: list(map(str, feature["names"]))
            for name, feature in inner.items()
            if feature.get("_type") == "ClassLabel"
        }
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        # There is no such description.
        return {}


def _of_items(feature: Any) -> Any:
    """The description of the items of a list; other descriptions unchanged. Versions of `datasets`
    write {"_type": "Sequence" or "List", "feature": ...}, or a list of one description."""
    if isinstance(feature, list):
        return _of_items(feature[0]) if feature else {}
    return _of_items(feature["feature"]) if "feature" in feature else feature


def columns_of(
    arrays: Mapping[str, Any],
    classes: Mapping[str, Sequence[str]],
    *,
    encoded: bool = False,
) -> dict[str, Sequence[Any]]:
    """The values of columns.

    Text, numbers, booleans and lists are unchanged; a list of floats is a NumPy array. Dates
    and times become text as in CSV ("2020-01-31 12:00:00"), and so do decimal numbers. A struct
    of "bytes" and "path" becomes its bytes, or its path if it has no bytes. Missing values are
    None.

    Args:
        arrays: the `pyarrow.Array` of each column.
        classes: see `class_names`; -1 is a missing class, as in `datasets`.
        encoded: whether texts may be `Utf8Texts`.
    """
    results: dict[str, Sequence[Any]] = {}
    for name, array in arrays.items():
        texts = _texts(array) if encoded else None
        if texts is not None:
            results[name] = texts
            continue
        values = _values(array)
        if name in classes:
            values = [_class(index, classes[name]) for index in values]
        results[name] = values
    return results


def _class(index: Any, names: Sequence[str]) -> Any:
    if isinstance(index, list):
        return [_class(item, names) for item in index]
    if isinstance(index, int) and -1 <= index < len(names):
        return names[index] if index >= 0 else None
    return index


def _texts(column: Any) -> Utf8Texts | None:
    """The texts of a `pyarrow.Array`, not copied if possible; None if it has another type or
    missing values, or is damaged."""
    try:
        column.validate(full=True)  # also checks that texts are UTF-8
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        if pa.types.is_string_view(column.type):
            column = column.cast(pa.large_string())
    except pa.ArrowException:  # `_values` raises the error
        return None
    dtype = {pa.string(): np.int32, pa.large_string(): np.int64}.get(column.type)
    if dtype is None or column.null_count or not len(column):
        return None
    _, offsets, data = column.buffers()
    first = column.offset * np.dtype(dtype).itemsize
    bounds = np.frombuffer(offsets, dtype, len(column) + 1, first).astype(np.int64)
    start, end = int(bounds[0]), int(bounds[-1])
    array = np.frombuffer(data, np.uint8, end - start, start) if end > start else np.zeros(0, "u1")
    return Utf8Texts(array, bounds[1:] - start)


def _values(column: Any) -> list[Any]:
    """The values of a `pyarrow.Array`; see `columns_of`.

    Raises:
        pyarrow.ArrowInvalid: the values are damaged. Reading values at offsets outside their buffer
            would crash the process.
    """
    # Text that is not UTF-8 is reported later, with its location.
    binary = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary()}.get(column.type)
    (column if binary is None else column.view(binary)).validate(full=True)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if pa.types.is_date(kind) or pa.types.is_time(kind) or pa.types.is_timestamp(kind):
        times = column.cast(pa.string()).to_pylist()
        return [time and _TRAILING_ZEROS.sub(r"\1", time) for time in times]
    if pa.types.is_decimal(kind):
        return [None if item is None else str(item) for item in column.to_pylist()]
    if _is_list(kind) and pa.types.is_floating(kind.value_type):
        arrays = (item.values for item in column)
        return [
            array if array is None else array.to_numpy(zero_copy_only=False) for array in arrays
        ]
    if pa.types.is_struct(kind) and {field.name for field in kind} == FILE:
        files = column.to_pylist()
        return [
            file and (file["path"] if file["bytes"] is None else file["bytes"]) for file in files
        ]
    try:
        return column.to_pylist()
    except UnicodeDecodeError:  # text that is not UTF-8: the reader of the field adds the location
        return column.cast(pa.large_binary()).to_pylist()


def _is_list(kind: Any) -> bool:
    types = pa.types
    return types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
