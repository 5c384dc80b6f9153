"""Splits texts into lines, which end only at a line feed, with or without a carriage return.

`str.splitlines` also splits at characters that texts may contain, such as U+2028, U+0085 or a form
feed, and so disagrees with editors, `wc -l` and standard input.
"""

from collections.abc import Iterator

BYTE_ORDER_MARK = "\ufeff"
"""The byte order mark, which some programs write at the start of a text in UTF-8."""


def split_lines(text: str) -> list[str]:
    """The lines of a text without line endings; text after the last line ending is a line if it is
    not empty."""
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def without_mark(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Lines in UTF-8, the first one without a byte order mark."""
    for first in lines:
        yield first.removeprefix(BYTE_ORDER_MARK.encode())
        break
    yield from lines
