"""Unicode character classes, which Python's `re` lacks, for regular expressions."""

import functools
import re
import sys
import unicodedata

SPACES = "\u0020\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""Unicode separators (classes Zs, Zl and Zp)."""


@functools.cache
def ranges(classes: str) -> str:
    """The characters of classes (L: letters, M: marks, N: numbers), for a regular expression."""
    parts, first = [], None
    for code in range(sys.maxunicode + 2):
        inside = code <= sys.maxunicode and unicodedata.category(chr(code))[0] in classes
        if inside and first is None:
            first = code
        elif not inside and first is not None:
            parts.append(f"{re.escape(chr(first))}-{re.escape(chr(code - 1))}")
            first = None
    return "".join(parts)


@functools.cache
def pattern(text: str) -> re.Pattern[str]:
    """A regular expression in which LETTERS (letters, marks and numbers), UNMARKED (the same
    without marks) and SPACES stand for characters."""
    text = text.replace("LETTERS", ranges("LMN")) if "LETTERS" in text else text
    text = text.replace("UNMARKED", ranges("LN")) if "UNMARKED" in text else text
    return re.compile(text.replace("SPACES", SPACES))


def split_at_white_space(text: str) -> list[str]:
    """The words of a text, split at ASCII whitespace."""
    return [word for word in re.split(r"[ \t\n\v\f\r]+", text) if word]
