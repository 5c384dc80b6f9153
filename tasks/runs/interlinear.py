"""Interlinear text: tags in columns below their words."""

import unicodedata
from collections.abc import Sequence

from seqzoo.tasks.printable import printable


def interlinear(
    tokens: Sequence[str],
    tags: Sequence[str],
    truth: Sequence[str] | None = None,
    *,
    width: int = 100,
) -> str:
    """Formats words with their tags below them, and the true tag below each wrong one.

        The  dog   barks
        DET  NOUN  NOUN
                   VERB

    Args:
        tokens: words or characters; unprintable characters are escaped as in Python.
        tags: one tag per token; control characters are escaped.
        truth: the true tags, if available.
        width: maximum width of a line, in columns.

    Raises:
        ValueError: the numbers of tokens and tags differ.
    """
    rows = [list(map(_printable, tokens)), list(map(printable, tags))]
    if truth is not None:
        pairs = zip(tags, truth, strict=True)
        rows.append(
            [printable(actual) if actual != predicted else "" for predicted, actual in pairs]
        )
    blocks: list[list[str]] = []
    used = width
    for column in zip(*rows, strict=True):
        column_width = max(map(columns, column))
        if used + 2 + column_width > width or not blocks:
            blocks.append(["" for _ in rows])
            used = -2
        used += 2 + column_width
        gap = "  " if used > column_width else ""
        block = blocks[-1]
        for row, text in enumerate(column):
            block[row] += gap + text + " " * (column_width - columns(text))
    lines = [[line.rstrip() for line in block] for block in blocks]
    # A block has a third line only if one of its tags is wrong.
    return "\n\n".join("\n".join(line for line in block if line) for block in lines)


def columns(text: str) -> int:
    """The width of a text in terminal columns: wide characters take two, combining marks none."""
    return sum(
        0
        if unicodedata.combining(character)
        else 1 + (unicodedata.east_asian_width(character) in "WF")
        for character in text
    )


def _printable(token: str) -> str:
    token = "".join(c if c.isprintable() or c == " " else repr(c)[1:-1] for c in token)
    return token if token.strip() else "␣" * max(len(token), 1)
