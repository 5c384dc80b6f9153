"""The documentation is true: its links lead somewhere, its equations are those of the cells."""

import inspect
import pathlib
import re
import runpy

import pytest

from seqzoo.cells import CELLS

ROOT = pathlib.Path(__file__).resolve().parents[2]
LINKED = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

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


WRITE_CELLS = runpy.run_path(str(ROOT / "docs" / "write_cells.py"))


@pytest.mark.parametrize("family", WRITE_CELLS["families"]())
def test_the_page_of_a_family_is_that_of_its_docstrings(family: str) -> None:
    # Else write it anew: python -m docs.write_cells
    page = (ROOT / "docs" / "cells" / f"{family}.md").read_text(encoding="utf-8")
    assert page == WRITE_CELLS["page"](family)
    for place in (ROOT / "docs" / "cells.md", ROOT / "mkdocs.yml"):
        assert f"cells/{family}.md" in place.read_text(encoding="utf-8"), place.name


@pytest.mark.parametrize("name", CELLS)
def test_each_cell_has_equations_and_a_reference(name: str) -> None:
    docstring = inspect.getdoc(CELLS[name]) or ""
    assert re.search(r"^( {4})?\w+ = .*", docstring, re.MULTILINE)
    assert "Reference: " in docstring or name in WITHOUT_REFERENCE


WITHOUT_REFERENCE = ("gated",)
"""Cells that no paper brought in."""
