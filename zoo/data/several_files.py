"""Several files that are read as one, in the order of their names: `--data "parts/*.csv"`."""

import glob
import pathlib
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data.formats import suffix_of
from seqzoo.zoo.data.records import INPUT, NoRows, Record, Records, Request


def is_pattern(path: str) -> bool:
    """Whether a path is a pattern: it contains *, ? or [...], and no file has that name."""
    return glob.has_magic(path) and not pathlib.Path(path).expanduser().exists()


def files_of(pattern: str) -> list[pathlib.Path]:
    """The files that match a pattern, sorted by path; "**" matches any folders.

    Raises:
        SeqzooError: there are none, or their formats differ.
    """
    paths = map(pathlib.Path, glob.glob(str(pathlib.Path(pattern).expanduser()), recursive=True))
    files = sorted(path for path in paths if path.is_file())
    if not files:
        raise SeqzooError(f"No file matches {pattern}.")
    suffixes = {suffix_of(str(file)): file for file in files}
    if len(suffixes) > 1:
        one, other = list(suffixes.values())[:2]
        raise SeqzooError(
            f"The files that match {pattern} must all have the same format, got {one} and {other}."
        )
    return files


def folder_of(files: Sequence[pathlib.Path], *, of_paths: bool) -> pathlib.Path:
    """The folder that paths in the fields of some files are relative to.

    Args:
        files: the files, at least one.
        of_paths: whether fields may be paths; if not, any folder will do.

    Raises:
        SeqzooError: fields may be paths, and the files are in several folders.
    """
    other = next((file for file in files if file.parent != files[0].parent), None)
    if of_paths and other is not None:
        raise SeqzooError(
            f"Files whose fields are paths must be in a single folder, got {files[0]} and {other}."
        )
    return files[0].parent


def read(
    pattern: str, request: Request, reader: Callable[[pathlib.Path, Request], Records]
) -> Records:
    """The records of all files that match a pattern.

    Args:
        pattern: see `files_of`.
        request: the columns to read from each.
        reader: reads one file.

    Raises:
        SeqzooError: a file cannot be read, or lacks a column.
    """
    files = files_of(pattern)
    first = files[0]
    # The first file determines the column names; the others are opened one after another.
    opened = reader(first, request)
    locations = _Locations()

    def records() -> Iterator[Record]:
        empty = None
        for file in files:
            file_records = opened if file is first else reader(file, request)
            locations.begin(file)
            try:
                for record in file_records.records:
                    yield record._replace(number=locations.add(record.number))
            except NoRows as error:  # programs that write tables in parts leave some empty
                empty = error
        if empty is not None and not len(locations):
            raise empty

    all_records = records()
    if request.source.whole and not opened.columns:
        all_records = _one_text(all_records)
    notes = (*opened.notes, f"{len(files)} file{'s' * (len(files) > 1)}.")
    return replace(
        opened, name=pattern, records=all_records, notes=notes, locations=locations, chunks=None
    )


def _one_text(records: Iterator[Record]) -> Iterator[Record]:
    """The texts of all files as one; malformed records as they are."""
    texts, first = [], None
    for record in records:
        if record.error:
            yield record
        else:
            first = first or record
            texts.append(record.fields[INPUT])
    if first is not None:
        yield first._replace(fields={INPUT: "".join(texts)})


class _Locations(Sequence[str]):
    """The location of each record, "18 of parts/2.csv", by its number among the records of all
    files."""

    def __init__(self) -> None:
        self._numbers = array("q")
        self._starts: list[int] = []
        self._files: list[pathlib.Path] = []

    def begin(self, file: pathlib.Path) -> None:
        """Begins a file; the records that are added from now on belong to it."""
        self._starts.append(len(self._numbers))
        self._files.append(file)

    def add(self, number: int) -> int:
        """Adds a record by its number in its file; returns its number among the records of all
        files."""
        self._numbers.append(number)
        return len(self._numbers) - 1

    def __len__(self) -> int:
        return len(self._numbers)

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, index: Any) -> Any:
        file = self._files[bisect_right(self._starts, index) - 1]
        return f"{self._numbers[index]} of {file}"
