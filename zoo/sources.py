"""Opens sources: embedded data sets, tfds data sets and files, all in one way."""

from typing import Literal

from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.examples import Examples, Splits
from seqzoo.tasks.settings import choose
from seqzoo.zoo.source import Source

# What reads files needs NumPy and what reads data sets TensorFlow; each is imported where it is
# needed, so that a mistake in a command is answered at once.


def open_source(source: Source) -> tuple[Splits, Source]:
    """Reads all examples of a source.

    The splits are the same every time. All examples of one input are in one split, except where a
    tfds data set's own splits say otherwise.

    Returns: the splits, and the source with its guesses resolved and its paths absolute.

    Raises:
        SeqzooError: there is no such source, or something in it is not as it should be; the
            message says where.
    """
    if source.is_file():
        from seqzoo.zoo.files import open_files

        return open_files(source)
    from seqzoo.zoo.builders import open_builder

    return open_builder(source)


def open_examples(source: Source, split: str = "test") -> Examples:
    """The examples of one split of a source.

    Args:
        source: where they come from.
        split: "train", "validation" or "test"; "all" for all examples of a file.

    Raises:
        SeqzooError: as `open_source`; or there are no such examples.
    """
    choose("split", split, Literal["train", "validation", "test", "all"])
    if split == "all":
        from seqzoo.zoo import splitting
        from seqzoo.zoo.files import read_file

        part, _ = read_file(source.absolute().data, source)
        if source.limit is not None:  # not the first ones: files are often sorted by label
            part = part.pick(sorted(splitting.order(part.keys, source.seed)[: source.limit]))
        return part.examples
    splits, _ = open_source(source)
    examples = getattr(splits, split)
    if examples is None:
        raise SeqzooError(f"{splits.name} has no examples for {split}.")
    return examples
