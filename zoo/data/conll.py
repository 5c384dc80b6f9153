"""Tagged sentences from CoNLL and CoNLL-U files: a word per line, empty lines between sentences."""

import itertools
import pathlib
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from seqzoo.tasks.errors import SeqzooError, nearest, some_of
from seqzoo.tasks.wording import counted
from seqzoo.zoo.data.formats import FORMATS, suffix_of
from seqzoo.zoo.data.lines import split_lines
from seqzoo.zoo.data.records import (
    INPUT,
    TARGET,
    Record,
    Records,
    Request,
    TextFile,
    read_text,
    refuse_columns,
)

CONLLU = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
"""The columns of CoNLL-U: https://universaldependencies.org/format.html"""

COLUMNS = "# global.columns ="
"""The beginning of the line that names the columns in CoNLL-U Plus."""

DOCUMENT = "-DOCSTART-"
"""Marks the beginning of a document in the files of CoNLL-2003."""


_NOT_A_WORD = re.compile(r"\d+[-.]\d+")
"""IDs of lines that are not words: multiword tokens and empty nodes."""


_SPACE = " \t"
"""Characters that separate fields; other whitespace may be a word."""


PROBED = 1000
"""Number of lines from which `has_word_per_line` infers the contents of a file."""


class Sentences(NamedTuple):
    """The contents of a file.

    Attributes:
        sentences: the words of each sentence.
        tags: the tags of each sentence, one per word.
        lines: the line at which each sentence begins, from 1.
    """

    sentences: list[tuple[str, ...]]
    tags: list[tuple[str, ...]]
    lines: list[int]


class _Row(NamedTuple):
    line: int
    fields: list[str]


def read(path: pathlib.Path, request: Request) -> Records:
    """The sentences of a file, with their tags if these are needed.

    Raises:
        SeqzooError: see `read_conll`; or a split column is requested.
    """
    refuse_columns(path, request)
    if TARGET in request.roles and request.source.target_kind != "tags":
        raise SeqzooError(
            f"`target_kind` must be 'tags' for {path}, whose words have tags, got "
            f"{request.source.target_kind!r}; train many-to-many-aligned.",
            field="target_kind",
        )
    word = request.name(INPUT)
    # Without targets, the column of words is read in place of tags, which need not exist.
    tag = request.name(TARGET) if TARGET in request.roles else word
    try:
        result = read_conll(path, word, tag)
    except SeqzooError as error:
        if suffix_of(str(path)) in FORMATS["conll"].suffixes:
            raise
        raise SeqzooError(
            f"{str(error).removesuffix('.')} (a .txt file of tags is read as CoNLL: a word and its "
            "tag per line, an empty line between sentences)."
        ) from error
    rows = zip(result.lines, result.sentences, result.tags, strict=True)
    return Records(
        str(path), [Record(line, {INPUT: words, TARGET: tags}) for line, words, tags in rows]
    )


def read_conll(
    path: pathlib.Path, word: str | int | None = None, tag: str | int | None = None
) -> Sentences:
    """Reads the words and tags of a file, which may be compressed (.gz).

    In CoNLL-U (.conllu), and in CoNLL-U Plus (.conllup) if its first column is ID, multiword tokens
    ("3-4"), empty nodes ("3.1") and comments are left out. In all other files, a line that begins
    with "#" is a comment if the number of its fields differs from that of the lines with words;
    fields are separated by tabs, or by whitespace if the first line with a word has no tabs; lines
    whose first field is "-DOCSTART-" are left out.

    Args:
        path: the file, in UTF-8.
        word: the column of words: a name in CoNLL-U and in files whose first line names the
            columns, by itself or after "# global.columns ="; otherwise a number, from 1 for the
            first or from -1 for the last. None for "form" in CoNLL-U, and for the first column in
            other files.
        tag: the column of tags; None for "upos" in CoNLL-U, and for the last column in other files.

    Raises:
        SeqzooError: the file cannot be read or has no such column, or a line is malformed; the
            message names the line.
    """
    path = pathlib.Path(path)
    lines = split_lines(read_text(path))
    suffix = suffix_of(path.name)
    names = CONLLU if suffix == ".conllu" else None
    if lines and lines[0].startswith(COLUMNS):
        names = tuple(lines[0].removeprefix(COLUMNS).lower().split())
    if suffix == ".conllup" and names is None:
        raise SeqzooError(
            f"{path} must begin with the line {COLUMNS} and the names of its columns."
        )
    # The first column then has word IDs, which tell words from multiword tokens.
    universal = suffix == ".conllu" or (suffix == ".conllup" and (names or ("",))[0] == "id")
    blocks = list(_blocks(path, lines, universal=universal, width=len(names or ())))
    word = _or_default(word, names, "form", 1)
    tag = _or_default(tag, names, "upos", -1)
    if names is None and blocks and not (_is_number(word) and _is_number(tag)):
        names = tuple(blocks[0].pop(0).fields)
        blocks = [block for block in blocks if block]
    if not blocks:
        raise SeqzooError(f"{path} contains no sentences.")
    width = len(blocks[0][0].fields)
    pairs = ((word, "input"), (tag, "target"))
    positions = [_column_index(path, names, width, column, argument) for column, argument in pairs]
    for row in (row for block in blocks for row in block):
        for position in positions:
            if not row.fields[position]:
                raise SeqzooError(f"{path}, line {row.line}: field {position + 1} is empty.")
    words, tags = (
        [tuple(row.fields[position] for row in block) for block in blocks] for position in positions
    )
    return Sentences(words, tags, [block[0].line for block in blocks])


def has_word_per_line(path: pathlib.Path, tagged: pathlib.Path) -> bool:
    """Whether a .txt file has a word per line, rather than a sentence: all lines, except for
    comments, have the same number of fields, which is 1 or that of a tagged file, and there are
    empty lines between them.

    Without empty lines, or with another number of fields, it has a word per line if most of the
    last fields are tags of that file.

    Args:
        path: the file.
        tagged: a file with words and tags; it need not exist.
    """
    blocks = _first_blocks(path)
    if not blocks:
        return False
    others = [row for block in _first_blocks(tagged) for row in block] if tagged.is_file() else []
    rows = [row for block in blocks for row in block]
    width = len(rows[0])
    several = len(blocks) > 1
    if several and (not others or width in (1, len(others[0]))):
        return True
    tags = {other[-1] for other in others if several or len(other) == width}
    return sum(row[-1] in tags for row in rows) > len(rows) / 2


def _first_blocks(path: pathlib.Path) -> list[list[list[str]]]:
    """The fields of the first lines with words, by sentence; none if the numbers of fields
    differ."""
    lines = list(itertools.islice(TextFile(path, strict=False).newline_delimited(), PROBED))
    try:
        blocks = list(_blocks(path, lines, universal=False, width=0))
    except SeqzooError:
        return []
    return [[row.fields for row in block] for block in blocks]


def _blocks(
    path: pathlib.Path, lines: Sequence[str], *, universal: bool, width: int
) -> Iterator[list[_Row]]:
    """The lines of each sentence that are words."""
    words = (line for line in lines if line.strip(_SPACE) and not line.startswith("#"))
    first = next((line for line in words if universal or line.split()[:1] != [DOCUMENT]), "")
    tabs = universal or "\t" in first
    parts = re.compile("\t" if tabs else "[ \t]+")

    def split(line: str) -> list[str]:
        line = line if tabs else line.strip(_SPACE)
        return [field.strip(_SPACE) for field in parts.split(line)]

    width = width if universal else len(split(first))
    block: list[_Row] = []
    for number, line in enumerate([*lines, ""], 1):
        if not line.strip(_SPACE):
            if block:
                yield block
            block = []
            continue
        fields = split(line)
        if not universal and fields[0] == DOCUMENT:
            continue
        if line.startswith("#") and (universal or len(fields) != width):
            continue
        if len(fields) != width:
            raise SeqzooError(
                f"{path}, line {number}: expected {counted(width, 'field')}"
                f"{' separated by tabs' if tabs else ''}, got {len(fields)}."
            )
        if universal and not fields[0].isdecimal():
            if not _NOT_A_WORD.fullmatch(fields[0]):
                raise SeqzooError(
                    f"{path}, line {number}: the first field must be an ID, such as 3, 3-4 or 3.1, "
                    f"got {fields[0]!r}."
                )
            continue
        block.append(_Row(number, fields))


def _column_index(
    path: pathlib.Path,
    names: Sequence[str] | None,
    width: int,
    column: str | int,
    argument: str,
) -> int:
    """The position of a column in a line, from 0."""
    if _is_number(column):
        number = int(column)
        if not 1 <= abs(number) <= width:
            raise SeqzooError(
                f"`{argument}` must be from 1 to {width}, the columns of {path}, or from -1 to "
                f"{-width}, got {column}."
            )
        return number - 1 if number > 0 else width + number
    known = names or ()
    if column not in known:
        raise SeqzooError(
            f"`{argument}` must name a column of {path} ({some_of(known)}) or be its number, "
            f"got {column!r}{nearest(str(column), known)}"
        )
    return known.index(column)


def _or_default(
    column: str | int | None, names: Sequence[str] | None, name: str, number: int
) -> str | int:
    if column is not None:
        return column
    return name if names and name in names else number


def _is_number(column: str | int) -> bool:
    return isinstance(column, int) or column.removeprefix("-").isdecimal()
