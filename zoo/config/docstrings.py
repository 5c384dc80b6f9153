"""Reads docstrings: the entries of their sections, by name."""

import inspect
import re
from functools import cache
from typing import Any

SECTION = re.compile(r"^(Attributes|Args|Raises|Returns|Reference|Note):(.*)$")


def summary(documented: Any) -> str:
    """The first paragraph of an object's docstring, in one line; empty if it has none."""
    return " ".join((inspect.getdoc(documented) or "").partition("\n\n")[0].split())


def split_sections(docstring: str) -> tuple[str, dict[str, list[str]]]:
    """Splits a cleaned docstring into its text and the lines of each section."""
    sections: dict[str, list[str]] = {}
    body: list[str] = []
    lines = body
    for line in docstring.splitlines():
        if match := SECTION.match(line):
            lines = sections.setdefault(match[1], [])
            lines += [match[2].strip()] if match[2].strip() else []
        else:
            lines.append(line)
    return "\n".join(body).strip(), sections


def entries(docstring: str, section: str) -> dict[str, str]:
    """The entries of a section, such as "Attributes" or "Args": name -> text in one line.

    An entry begins with "name: "; the more deeply indented lines after it belong to it.
    """
    results: dict[str, str] = {}
    name = ""
    for line in split_sections(docstring)[1].get(section, []):
        match = re.match(r"^ {4}(\*{0,2}\w+):\s*(.*)$", line)
        if match:
            name = match[1]
            results[name] = match[2].strip()
        elif name and line.strip():
            results[name] += f" {line.strip()}"
    return results


@cache
def choices(kind: type) -> dict[str, str]:
    """The description of each field of a dataclass, from the "Attributes" of its docstring."""
    return entries(inspect.getdoc(kind) or "", "Attributes")
