"""The documentation is true: its links lead somewhere and its Python blocks run."""

import inspect
import pathlib
import re

import pytest

from seqzoo.cells import CELLS

ROOT = pathlib.Path(__file__).resolve().parent.parent
TAUGHT = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINKED = [*TAUGHT, ROOT / "CONTRIBUTING.md"]

FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def _name(path: pathlib.Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _anchors(path: pathlib.Path) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+\s+(.*?)\s*$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def _blocks() -> list:
    """Each ```python block, named by its file and line."""
    found = []
    for path in TAUGHT:
        text = path.read_text(encoding="utf-8")
        for match in BLOCK.finditer(text):
            line = text.count("\n", 0, match.start()) + 2
            found.append(pytest.param(path, line, match[1], id=f"{_name(path)}:{line}"))
    return found


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


@pytest.mark.parametrize("path, line, code", _blocks())
def test_python_blocks_run(path: pathlib.Path, line: int, code: str, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    # The newlines make a traceback name the line of the page.
    exec(compile("\n" * (line - 1) + code, str(path), "exec"), {"__name__": "__main__"})
