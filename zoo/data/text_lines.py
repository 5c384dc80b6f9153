"""Plain text: one input per line, or the whole file as one input; there are no targets."""

import pathlib
from collections.abc import Iterator

from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.kinds import TEXTS
from seqzoo.zoo.data.lines import split_lines
from seqzoo.zoo.data.records import (
    INPUT,
    TARGET,
    Record,
    Records,
    Request,
    decoded,
    read_text,
    refuse_columns,
)


def read(path: pathlib.Path, request: Request) -> Records:
    """The lines of a file; in training, empty ones are left out.

    Raises:
        SeqzooError: it cannot be read or is empty, or targets or a split column are requested.
    """
    if TARGET in request.roles:
        raise _without_targets(path, request.source.target_kind)
    refuse_columns(path, request, named=False)
    text = read_text(path, strict=request.strict)
    return Records(str(path), decoded(_records(text, request), strict=request.strict))


def _records(text: str, request: Request) -> Iterator[Record]:
    lines = [text] if request.source.whole else split_lines(text)
    for number, line in enumerate(lines, 1):
        if line.strip() or not request.strict:
            yield Record(number, {INPUT: line})


def _without_targets(path: pathlib.Path, target_kind: str) -> SeqzooError:
    advice = "name a .csv, .tsv or .jsonl file with columns of inputs and targets"
    if target_kind in TEXTS:
        advice += (
            ", or a folder of parallel texts named LANGUAGE.SPLIT.txt, such as "
            "en.train.txt and fr.train.txt"
        )
    return SeqzooError(f"{path} is plain text, which has no targets; {advice}.")
