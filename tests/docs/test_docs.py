"""The documentation is true: its links lead somewhere, its equations are those of the cells."""

import inspect
import pathlib
import re

import pytest

from seqzoo.cells import CELLS

ROOT = pathlib.Path(__file__).resolve().parents[2]
LINKED = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")


def _name(path: pathlib.Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _anchors(path: pathlib.Path) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+\s+(.*?)\s*$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", LINKED, ids=_name)
def test_relative_links_resolve(path: pathlib.Path) -> None:
    broken = []
    for target in LINK.findall(FENCE.sub("", path.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        page = (path.parent / file).resolve() if file else path
        if not page.exists() or (anchor and page.suffix == ".md" and anchor not in _anchors(page)):
            broken.append(target)
    assert not broken, f"{_name(path)} links to what is not there: {broken}"


@pytest.mark.parametrize("name", CELLS)
def test_the_page_of_cells_has_their_equations(name: str) -> None:
    page = (ROOT / "docs" / "cells.md").read_text(encoding="utf-8")
    lines = (inspect.getdoc(CELLS[name]) or "").partition("Args:")[0].splitlines()
    equations = [line.strip() for line in lines if re.match(r"(    )?\w = .*", line)]
    assert equations and all(equation in page for equation in equations)
    assert f"| `{name}` | `{CELLS[name].__name__}` |" in page
