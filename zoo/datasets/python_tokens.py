"""The `python_tokens` data set: Python source -> the class of each character's token."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import tensorflow_datasets as tfds

from seqzoo.zoo.datasets import python_library, python_syntax
from seqzoo.zoo.datasets.hash_splits import draw, split_of

MAX_LENGTH = 400
MIN_LENGTH = 40
"""Limits on the length of a piece, in characters; shorter ones have too little context."""
KEPT_PERCENT = 40
"""Percentage of the pieces that are kept."""

_OUTER_LINES = re.compile(r"(?:[ \t\f]*\n)*(.*?)\s*", re.DOTALL)


class Piece(NamedTuple):
    """A few statements of a file, and the class of each of their characters.

    Attributes:
        text: whole lines, without the final line ending.
        labels: a class of `python_syntax.CLASSES` for each character.
        path: the file in the library, such as "json/decoder.py".
    """

    text: str
    labels: list[str]
    path: str


class PythonTokens(tfds.core.GeneratorBasedBuilder):
    """Pieces of Python source -> the class of each character: syntax highlighting.

    Made, without a download, from the standard library of the running interpreter; see
    `python_library.py` for its files and `python_syntax.py` for the classes: keyword, builtin,
    function, class, decorator, name, number, string, docstring, comment, operator and space. `text`
    is a piece of 40 to 400 characters, `labels` has one class for each of them (characters, not
    bytes), `path` is the file.

    A piece consists of whole statements, so it never begins within a string or a bracket, and
    every label follows from the piece itself. A statement that is longer (a docstring, a table) is
    left out, as are files that cannot be tokenised. Two fifths of the pieces are kept, by a hash;
    each text once. A tenth of the files are held out for validation and a tenth for testing, by a
    hash of the path.

    The version is that of Python; see `PythonSource`.
    """

    VERSION = tfds.core.Version(python_library.VERSION)
    RELEASE_NOTES = {python_library.VERSION: "First version."}

    def _info(self) -> tfds.core.DatasetInfo:
        label = tfds.features.ClassLabel(names=list(python_syntax.CLASSES))
        return tfds.core.DatasetInfo(
            builder=self,
            description=PythonTokens.__doc__,
            features=tfds.features.FeaturesDict(
                {
                    "text": tfds.features.Text(),
                    "labels": tfds.features.Sequence(label),
                    "path": tfds.features.Text(),
                }
            ),
            supervised_keys=("text", "labels"),
            homepage="https://docs.python.org/3/library",
            license="PSF License v2",
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict:
        results = list(pieces(python_library.sources()))
        return {
            split: self._generate_examples(results, split)
            for split in ("train", "validation", "test")
        }

    def _generate_examples(
        self, pieces: list[Piece], split: str
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        for piece in pieces:
            if split_of(piece.path) == split:
                yield piece.text, piece._asdict()


def pieces(sources: Iterable[tuple[str, str]], percent: int = KEPT_PERCENT) -> Iterator[Piece]:
    """Cuts files into pieces without duplicates, and keeps a fraction of them.

    Args:
        sources: path and text of each file; those that cannot be tokenised are skipped.
        percent: percentage of the pieces to keep, by a hash of the text.
    """
    seen = set()
    for path, text in sources:
        try:
            classes, ends = python_syntax.highlight(text)
        except SyntaxError:
            continue
        for start, end in _spans(text, ends):
            piece = text[start:end]
            if piece not in seen and draw(piece) % 100 < percent:
                seen.add(piece)
                yield Piece(piece, classes[start:end], path)


def _spans(text: str, ends: list[int]) -> Iterator[tuple[int, int]]:
    """The spans of the pieces of a text: as many statements as fit, without surrounding blank
    lines."""
    start = last = 0
    for end in [*ends, len(text)]:
        if end - start > MAX_LENGTH:
            yield from _trimmed(text, start, last)
            # The statement begins the next piece, unless it is too long for one.
            start = last if end - last <= MAX_LENGTH else end
        last = end
    yield from _trimmed(text, start, last)


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    match = _OUTER_LINES.fullmatch(text, start, end)
    if match and match.end(1) - match.start(1) >= MIN_LENGTH:
        yield match.span(1)
