"""Opens sources: embedded data sets, tfds data sets and files."""

from dataclasses import replace
from typing import Any

from seqzoo.tasks.data.examples import Examples, Splits
from seqzoo.tasks.errors import SeqzooError, nearest
from seqzoo.zoo.data.source import Source

# Reading files needs NumPy, and reading data sets TensorFlow; each is imported only where it is
# needed, so that a mistake in a command is reported at once.


def open_source(source: Source) -> tuple[Splits, Source]:
    """Reads all examples of a source.

    The splits are the same every time. All examples of one input are in one split, except where a
    tfds data set's own splits say otherwise.

    Returns: the splits, and the source with its guesses resolved and its paths absolute.

    Raises:
        SeqzooError: the source does not exist, or something in it is malformed; the
            message has the location.
    """
    if source.is_file():
        from seqzoo.zoo.data.files import open_files

        return open_files(source)
    from seqzoo.zoo.data.tfds_builders import open_builder

    return open_builder(source)


def open_examples(source: Source, split: str = "test") -> Examples:
    """The examples of one split of a source.

    Args:
        source: their source.
        split: "train", "validation" or "test"; "all" for all examples of a file; or another split
            that a tfds data set or a file's `split_column` names.

    Raises:
        SeqzooError: as `open_source`, or there are no such examples.
    """
    if split not in USUAL:
        return _open_split(source, split)
    if split == "all":
        from seqzoo.zoo.data.files import read_file

        source = replace(source.absolute(), split_column=None)
        part, _ = read_file(source.data, source)
        return _limited(part, source)
    splits, _ = open_source(source)
    examples = getattr(splits, split)
    if examples is None:
        raise SeqzooError(f"{splits.name} has no examples for {split}.")
    return examples


USUAL = ("train", "validation", "test", "all")
"""Splits that every source has, the last one of files."""


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
        from seqzoo.zoo.data.files import read_file

        source = source.absolute()
        whole, _ = read_file(source.data, source)
        known = list(dict.fromkeys(whole.splits or ()))
        part = whole.of_split(split) if split in known else None
    if part is None:
        names = dict.fromkeys([*(USUAL if is_file else USUAL[:-1]), *known])
        raise SeqzooError(
            f"`split` must be one of {', '.join(names)}, got {split!r}{nearest(split, names)}"
        )
    if not part.keys:
        raise SeqzooError(f"{source.data} has no examples for {split}.")
    return _limited(part, source)


def _limited(part: Any, source: Source) -> Examples:
    """The examples of a `Part`, limited as requested."""
    from seqzoo.zoo.data import splits as splitting

    if source.limit is not None:  # not the first ones: files are often sorted by label
        part = part.pick(sorted(splitting.order(part.keys, source.seed)[: source.limit]))
    return part.examples
