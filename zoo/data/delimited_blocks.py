"""Splits blocks of a delimited file into fields by vectorised operations on their bytes.

Where quotes occur only around and within quoted fields, as in RFC 4180, counting them is enough: a
delimiter or a line feed after an odd number of quotes is inside a field. Blocks with any other
quote are left to Python's `csv`.
"""

import codecs
import csv
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from seqzoo.zoo.data.records import Chunk, TextFile
from seqzoo.zoo.data.utf8 import Utf8Texts

LINE_FEED, RETURN, QUOTE = b'\n\r"'


class Block(NamedTuple):
    """The complete records of a block.

    Attributes:
        size: number of bytes in these records; the rest of the block belongs to the next record.
        lines: number of line feeds in these records.
        starts: the line on which each record begins, counted from 0 at the beginning of the block.
        fields: the fields of all records, by role.
    """

    size: int
    lines: int
    starts: list[int]
    fields: Mapping[str, Any]


def read_blocks(
    file: TextFile,
    columns: int,
    positions: Mapping[str, int],
    quoting: dict[str, Any],
    *,
    header: bool,
) -> Iterator[Chunk | None]:
    """The records of a file, many at once; see `Records.chunks`.

    Args:
        file: the file.
        columns: the number of fields of each record.
        positions: the fields that are needed, by role.
        quoting: the options of `csv.reader`.
        header: whether the first record names the columns.
    """
    if file.has_lone_returns():  # `csv` would count these as line breaks
        yield None
        return
    delimiter = quoting["delimiter"].encode()
    quoted = quoting["quoting"] != csv.QUOTE_NONE
    splittable = len(delimiter) == 1 and not quoting.get("skipinitialspace")
    blocks, data, lines, final = file.blocks(), b"", 0, False
    data = next(blocks, b"").removeprefix(codecs.BOM_UTF8)
    while not final:
        block = next(blocks, b"")
        data += block
        final = not block
        if final and not data.endswith(b"\n"):
            data += b"\n"
        records = None
        if splittable:
            records = split_block(
                data, delimiter[0], columns, positions, quoted=quoted, skip=header
            )
        if records is None:
            records = _parse_block(data, columns, positions, quoting, skip=header, final=final)
        if records is None or (final and records.size < len(data)):
            if not _is_unicode(data):
                file.text()  # raises an error that has the location
            yield None
            return
        if records.starts:
            yield Chunk([lines + start + 1 for start in records.starts], records.fields)
        header = header and not records.fields
        data = data[records.size :]
        lines += records.lines


def _is_unicode(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _parse_block(
    data: bytes,
    columns: int,
    positions: Mapping[str, int],
    quoting: dict[str, Any],
    *,
    skip: bool,
    final: bool,
) -> Block | None:
    """Like `split_block`, but uses Python's `csv`, so that it accepts every file that `csv` reads.

    Args:
        final: whether this is the last block of the file.
    """
    lines = data.splitlines(keepends=True)
    if not final and not data.endswith(b"\n"):
        lines.pop()
    rows: list[tuple[int, list[str]]] = []
    reader, ended = csv.reader((line.decode("utf-8") for line in lines), **quoting), 0
    try:
        for row in reader:
            if row:
                rows.append((ended, row))
            ended = reader.line_num
    except UnicodeDecodeError:
        return None
    except csv.Error:
        if final or reader.line_num < len(lines):
            return None  # otherwise the last record may continue in the next block
    if any(len(row) != columns for _, row in rows):
        return None
    size = sum(map(len, lines[:ended]))
    if not rows:
        return Block(size, ended, [], {})
    rows = rows[int(skip) :]
    fields = {role: [row[position] for _, row in rows] for role, position in positions.items()}
    return Block(size, ended, [start for start, _ in rows], fields)


def split_block(
    data: bytes,
    delimiter: int,
    columns: int,
    positions: Mapping[str, int],
    *,
    quoted: bool,
    skip: bool = False,
) -> Block | None:
    """Splits the complete records of a block; empty lines are left out.

    Args:
        data: the bytes of the block, which begins with a record; carriage returns occur only before
            line feeds.
        delimiter: the delimiter's byte.
        columns: the number of fields of each record.
        positions: the fields to keep, by role.
        quoted: whether fields may be in quotes.
        skip: whether to leave out the first record, which is the header.

    Returns:
        The records; None if one is malformed or has quotes in other places, or the text is not
        UTF-8.
    """
    if b"\0" in data:  # not every version of `csv` accepts null characters
        return None
    array = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(array == LINE_FEED)
    feeds = ends
    quotes = np.flatnonzero(array == QUOTE) if quoted and b'"' in data else ends[:0]
    if len(quotes):
        if not _are_around_fields(array, quotes, delimiter):
            return None
        ends = ends[np.searchsorted(quotes, ends) % 2 == 0]
    if not len(ends):
        return Block(0, 0, [], {})
    size = int(ends[-1]) + 1
    feeds = feeds[: np.searchsorted(feeds, size)]
    array = array[:size]
    try:
        data[:size].decode("utf-8")
    except UnicodeDecodeError:
        return None
    delimiters = np.flatnonzero(array == delimiter)
    if len(quotes):
        delimiters = delimiters[np.searchsorted(quotes, delimiters) % 2 == 0]
    starts = np.concatenate([[0], ends[:-1] + 1])
    ends = ends - ((array[ends - 1] == RETURN) & (ends > starts))
    filled = ends > starts
    starts, ends = starts[filled], ends[filled]
    if not len(starts):
        return Block(size, len(feeds), [], {})
    bounds = np.searchsorted(delimiters, np.append(starts, size))
    if (np.diff(bounds) != columns - 1).any():
        return None
    if skip:
        starts, ends, delimiters = starts[1:], ends[1:], delimiters[columns - 1 :]
    between = (
        delimiters.reshape(-1, columns - 1) if columns > 1 else np.zeros((len(starts), 0), int)
    )
    fields = {}
    for role, position in positions.items():
        first = starts if position == 0 else between[:, position - 1] + 1
        last = ends if position == columns - 1 else between[:, position]
        fields[role] = _texts(array, first, last, quotes)
    return Block(size, len(feeds), np.searchsorted(feeds, starts).tolist(), fields)


def _are_around_fields(array: np.ndarray, quotes: np.ndarray, delimiter: int) -> bool:
    """Whether each quote opens or closes a field, or is half of a doubled quote within one."""
    opening, closing = quotes[0::2], quotes[1::2]
    before = array[np.maximum(opening - 1, 0)]
    opens = (opening == 0) | (before == delimiter) | (before == LINE_FEED)
    opens[1:] |= opening[1:] == closing[: len(opening) - 1] + 1
    after = array[np.minimum(closing + 1, len(array) - 1)]
    closes = (after == delimiter) | (after == LINE_FEED) | (after == RETURN) | (after == QUOTE)
    closes |= closing == len(array) - 1
    return bool(opens.all() and closes.all())


def _texts(
    array: np.ndarray, starts: np.ndarray, ends: np.ndarray, quotes: np.ndarray
) -> Utf8Texts:
    """The texts of fields, without the quotes around them; doubled quotes become single ones."""
    marks = np.zeros(len(array) + 1, np.int8)
    lengths = ends - starts
    doubled = quotes[:0]
    if len(quotes):
        in_quotes = (lengths > 0) & (array[np.minimum(starts, len(array) - 1)] == QUOTE)
        starts, ends = starts + in_quotes, ends - in_quotes
        # Of two adjacent quotes within a field, the second has an even index but opens no field.
        second = quotes[2::2]
        doubled = second[second == quotes[1:-1:2][: len(second)] + 1]
        inside = np.searchsorted(doubled, ends) - np.searchsorted(doubled, starts)
        lengths = ends - starts - inside
    marks[starts] += 1
    marks[ends] -= 1
    kept = np.cumsum(marks[:-1], dtype=np.int8).astype(bool)
    kept[doubled[doubled < len(array)]] = False
    return Utf8Texts(array[kept], np.cumsum(lengths))
