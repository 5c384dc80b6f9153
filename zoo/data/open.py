"""Opens sources: built-in data sets, tfds data sets and files."""

import pathlib
from collections.abc import Sequence
from dataclasses import replace

from seqzoo.tasks.data.examples import Examples, Splits
from seqzoo.tasks.errors import SeqzooError, check_instance, nearest, some_of
from seqzoo.tasks.kinds import FURTHER, INPUTS
from seqzoo.zoo.data import class_folders, folds, formats, splits, suspicions
from seqzoo.zoo.data.examples import part_of, roles_of
from seqzoo.zoo.data.histories import open_histories, read_histories
from seqzoo.zoo.data.hugging_face import SPLIT_COLUMN, splits_of
from seqzoo.zoo.data.npz import is_in_time
from seqzoo.zoo.data.records import Request
from seqzoo.zoo.data.remote import local
from seqzoo.zoo.data.several_files import files_of, folder_of, is_pattern
from seqzoo.zoo.data.source import HISTORY, Source
from seqzoo.zoo.data.splits import Part
from seqzoo.zoo.data.stored_table import is_stored, read_stored
from seqzoo.zoo.data.wide_rows import is_wide

USUAL = ("train", "validation", "test", "all")
"""Splits that every source has; "all" only for files."""

PATHS = ("image", "audio")
"""Forms of inputs whose fields may be paths."""


def open_source(source: Source) -> tuple[Splits, Source]:
    """Reads all examples of a source.

    The splits are the same every time. All examples with the same input are in the same split,
    unless a tfds data set's own splits separate them.

    Returns: the splits, and the source with inferred fields filled in and absolute paths.

    Raises:
        SeqzooError: the source does not exist, or something in it is malformed; the
            message has the location.
    """
    check_instance("source", source, Source, "a `Source`, such as Source('reviews.csv', 'words')")
    if source.kind == HISTORY:
        return open_histories(source)
    source = with_stored_splits(source)
    if source.is_file():
        opened, source = _open_files(source)
    else:
        # tfds takes seconds to import.
        from seqzoo.zoo.data.tfds_builders import open_builder

        opened, source = open_builder(source)
    if source.fold is not None:
        opened = folds.hold_out(opened, source.fold, source.target_kind, source.seed, source.kind)
    return opened, source


def open_examples(source: Source, split: str = "test") -> Examples:
    """The examples of one split of a source.

    Args:
        source: the source.
        split: "train", "validation" or "test"; "all" for all examples of a file; or another split
            that a tfds data set or a file's `split_column` names.

    Raises:
        SeqzooError: see `open_source`; or there are no such examples.
    """
    if source.kind == HISTORY:
        return _open_history_split(source, split)
    source = with_stored_splits(source)
    if split not in USUAL:
        return _open_split(source, split)
    if split == "all":
        source = without_roles(source.absolute(), "split_column")
        part, _ = read_file(source.data, source)
        return _limited(part, source)
    if source.fold is None and not source.is_file():
        from seqzoo.zoo.data.tfds_builders import published_examples

        published = published_examples(source, split)
        if published is not None:
            return published
    opened, _ = open_source(source)
    examples = getattr(opened, split)
    if examples is None:
        raise SeqzooError(f"{opened.name} has no examples for {split}.")
    return examples


def with_stored_splits(source: Source) -> Source:
    """The source, with the splits that its folder contains, if any."""
    files = any(isinstance(item, str) for item in (source.validation, source.test))
    if source.split_column is not None or files or not source.is_folder():
        return source
    folder = pathlib.Path(source.data).expanduser()
    if splits_of(folder) is None and not class_folders.has_splits(folder, source.kind):
        return source
    return replace(source, split_column=SPLIT_COLUMN)


def _open_history_split(source: Source, split: str) -> Examples:
    """The examples of a split of a table with dates; "all" has all steps of all series.

    Raises:
        SeqzooError: there is no such split, or it is empty.
    """
    if split not in USUAL:
        raise SeqzooError(f"`split` must be one of {', '.join(USUAL)}, got {split!r}.")
    if split == "all":
        return Examples(read_histories(source.absolute())[0])
    examples = getattr(open_histories(source)[0], split)
    if examples is None:
        raise SeqzooError(f"{source.data} has no examples for {split}.")
    return examples


def _open_split(source: Source, split: str) -> Examples:
    """The examples of a split that the source names.

    Raises:
        SeqzooError: there is no such split; the message lists its splits.
    """
    is_file, known, part = source.is_file(), [], None
    if not is_file:
        from seqzoo.zoo.data.tfds_builders import open_split

        known, part = open_split(source, split)
    elif source.split_column is not None:
        source = source.absolute()
        whole, _ = read_file(source.data, source)
        known = whole.split_names()
        part = whole.of_split(split) if split in known else None
    if part is None:
        names = dict.fromkeys([*(USUAL if is_file else USUAL[:-1]), *known])
        raise SeqzooError(
            f"`split` must be one of {some_of(list(names))}, got {split!r}{nearest(split, names)}"
        )
    if not len(part.keys):
        raise SeqzooError(f"{source.data} has no examples for {split}.")
    return _limited(part, source)


def _limited(part: Part, source: Source) -> Examples:
    """The examples of a `Part`, limited as requested."""
    if source.limit is not None:  # not the first ones: files are often sorted by label
        part = part.pick(sorted(splits.order(part.keys, source.seed)[: source.limit]))
    return part.examples


def _open_files(source: Source) -> tuple[Splits, Source]:
    """Reads a file, and separate files for validation and testing if they are named.

    Raises:
        SeqzooError: a file cannot be read, or a line is malformed.
    """
    source = source.absolute()
    whole, sample_rate = read_file(source.data, source)
    source = replace(source, sample_rate=sample_rate)
    notes = [*whole.notes, *suspicions.check(whole, source)]
    parts = split_file(whole, source)
    notes += splits.separate_equal_inputs(parts, keep=source.duplicates == "keep")
    splits.check_labels(parts)
    if source.limit is not None:
        notes += splits.limit(parts, source.limit, source.seed)
    return splits.to_splits(pathlib.Path(source.data).name, parts, notes, kind=source.kind), source


def split_file(whole: Part, source: Source) -> dict[str, Part | None]:
    """The splits of a file, including those in separate files; an input may still be in several
    splits.

    Args:
        whole: all examples of the file.
        source: a source with absolute paths.

    Raises:
        SeqzooError: there are too few examples, or a separate file cannot be read.
    """
    if source.split_column is not None:
        parts = splits.by_column(whole, source.shares(), source.split_column, source.seed)
    elif len(whole.keys) == 1 and (source.whole or is_in_time(source)):
        parts = splits.cut(whole, source.shares())
    else:
        parts = splits.split(whole, source.shares(), source.seed)
    for name in ("validation", "test"):
        path = getattr(source, name)
        if isinstance(path, str):
            if parts[name] is not None:
                raise SeqzooError(
                    f"`{name}` must be left out if `split_column` is given, got {path!r}."
                )
            # Scores do not weight examples, but a fold trains on those for validation, too.
            weighs = source.fold and name == "validation"
            unused = ("split_column",) if weighs else ("split_column", "weight_column")
            try:
                parts[name], _ = read_file(path, without_roles(source, *unused, path=path))
            except SeqzooError as error:
                if not weighs or error.field != "weight_column":
                    raise
                raise SeqzooError(
                    f"{error} With --folds, models train on the validation file, too; add the "
                    "column to it, or leave `validation` out.",
                    field=error.field,
                    got=error.got,
                ) from error
    return parts


def without_roles(source: Source, *roles: str, path: str | None = None) -> Source:
    """A source without columns that are not used. If the input is a pattern, the columns that the
    file has keep their roles, because the pattern must not match them.

    Args:
        source: the source.
        roles: the roles of the columns: fields of the source.
        path: the file; None for the data of the source.

    Raises:
        SeqzooError: the input is a pattern, and the file cannot be read.
    """
    if is_wide(source) and any(getattr(source, role) is not None for role in roles):
        file = pathlib.Path(local(path or source.absolute().data))
        names = formats.read(file, Request(source, ())).names
        roles = tuple(role for role in roles if getattr(source, role) not in names)
    return replace(source, **dict.fromkeys(roles))


def read_file(path: str, source: Source) -> tuple[Part, int | None]:
    """Reads all examples of one file, or of all files that match a pattern; see `source`.

    Returns: the examples, and the sample rate of audio.

    Raises:
        SeqzooError: it cannot be read, or a record is malformed.
    """
    is_data = path == source.data  # a file of another split may have another format
    path = local(path)
    if is_data:
        formats.check_delimited(path, source)
    file = pathlib.Path(path)
    files = files_of(path) if is_pattern(path) else [file]
    if is_stored(files, source):
        return read_stored(files, source, path), None
    folder = folder_of_fields(files, source)
    records = formats.read(file, Request(source, roles_of(source)))
    return part_of(records, source, folder)


def folder_of_fields(files: Sequence[pathlib.Path], source: Source) -> pathlib.Path:
    """The folder that paths in the fields of files are relative to; see `folder_of`."""
    forms = [FURTHER[kind].form for kind in source.further_inputs.values()]
    of_paths = not {INPUTS[source.kind].form, *forms}.isdisjoint(PATHS)
    return folder_of(files, of_paths=of_paths)
