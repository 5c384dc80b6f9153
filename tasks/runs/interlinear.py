"""Tags below their words, as text in columns."""

import unicodedata
from collections.abc import Sequence


def interlinear(
    tokens: Sequence[str],
    tags: Sequence[str],
    truth: Sequence[str] | None = None,
    *,
    width: int = 100,
) -> str:
    """Lines of words with their tags below, and the true tag below a wrong one.

        The  dog   barks
        DET  NOUN  NOUN
                   VERB

    Args:
        tokens: words or characters; unprintable ones are escaped as in Python.
        tags: one tag per token.
        truth: the true tags, if available.
        width: maximum columns of a line.

    Raises:
        ValueError: their numbers differ.
    """
    rows = [list(map(_printable, tokens)), list(tags)]
    if truth is not None:
        pairs = zip(tags, truth, strict=True)
        rows.append([right if right != predicted else "" for predicted, right in pairs])
    blocks: list[list[str]] = []
    used = width
    for column in zip(*rows, strict=True):
        wide = max(map(columns, column))
        if used + 2 + wide > width or not blocks:
            blocks.append(["" for _ in rows])
            used = -2
        used += 2 + wide
        gap = "  " if used > wide else ""
        block = blocks[-1]
        for row, text in enumerate(column):
            block[row] += gap + text + " " * (wide - columns(text))
    lines = [[line.rstrip() for line in block] for block in blocks]
    # There is a third line only if a tag is wrong.
    return "\n\n".join("\n".join(line for line in block if line) for block in lines)


def columns(text: str) -> int:
    """The terminal columns of a text: two for wide characters, none for combining marks."""
    return sum(
        0
        if unicodedata.combining(character)
        else 1 + (unicodedata.east_asian_width(character) in "WF")
        for character in text
    )


def _printable(token: str) -> str:
    token = "".join(c if c.isprintable() or c == " " else repr(c)[1:-1] for c in token)
    return token if token.strip() else "␣" * max(len(token), 1)
