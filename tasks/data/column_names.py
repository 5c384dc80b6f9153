"""Lists of column names as one text: "title,body", with quotes around names that have commas."""

import re
from collections.abc import Iterable, Sequence

NAME = re.compile(r'\s*(?:"((?:[^"]|"")*)"\s*|([^,]*)),')
"""One name and the comma after it; quotes in a name in quotes are doubled."""


def split_names(text: str, known: Sequence[str] = ()) -> list[str]:
    """The names in a comma-separated text: 'title,"size, kg"' -> ["title", "size, kg"].

    Args:
        text: the names, without spaces around them; one that contains a comma is in double quotes.
        known: existing names; a text that equals one of them is this name.
    """
    if text in known:
        return [text]
    quoted_or_plain = (match.groups() for match in NAME.finditer(f"{text},"))
    return [
        plain.strip() if quoted is None else quoted.replace('""', '"')
        for quoted, plain in quoted_or_plain
    ]


def target_names(target: str | None, count: int) -> list[str]:
    """The names of the targets of a forecast: those of its table's columns, if these are known.

    Args:
        target: the columns of the targets, as a text for `split_names`; None if they are not known.
        count: the number of targets.
    """
    names = split_names(target) if target else []
    if target and count == 1:
        names = [target] if len(names) != 1 else names
    return names if len(names) == count else [f"target {k + 1}" for k in range(count)]


def join_names(names: Iterable[str]) -> str:
    """The text from which `split_names` gets these names."""
    return ",".join(
        '"' + name.replace('"', '""') + '"'
        if "," in name or name.startswith('"') or name != name.strip()
        else name
        for name in names
    )
