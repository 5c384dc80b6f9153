"""Texts from data and from models on a terminal, which must not obey control characters in them."""

import re
import shlex

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""Control characters other than tabs, line feeds and carriage returns."""


def printable(text: str) -> str:
    """A text in which control characters other than tabs and line ends are escaped as in Python:
    "\\x1b" for that which begins the commands of terminals."""
    return _CONTROL.sub(lambda match: repr(match[0])[1:-1], text)


def quoted(word: str) -> str:
    """A word as typed in a shell: as `shlex.quote` quotes it, or, with control characters, as
    $'...', which bash, zsh and other shells read."""
    if not _CONTROL.search(word):
        return shlex.quote(word)
    # Four hexadecimal digits, so that those after it do not belong to the character.
    word = word.replace("\\", "\\\\").replace("'", "\\'")
    return "$'" + _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", word) + "'"


def quoted_path(path: object) -> str:
    """A path as typed in a shell, also where an option would be taken for one."""
    text = str(path)
    return quoted(f"./{text}" if text.startswith("-") else text)
