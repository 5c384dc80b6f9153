"""The documentation is true: its links lead somewhere, its equations are those of the cells."""

import inspect
import pathlib
import re
import runpy

import pytest

from seqzoo.cells import CELLS
from seqzoo.zoo.presets import PRESETS

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


def test_readme_lists_all_cells() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    # Else write it anew: python -m docs.write_cells
    assert text == WRITE_CELLS["readme"](text)
    assert set(CELLS) <= set(re.findall(r"`([\w-]+)`", text))


WRITE_PRESETS = runpy.run_path(str(ROOT / "docs" / "write_presets.py"))


def test_pages_of_presets_are_those_of_presets_cards_and_results() -> None:
    # Else write them anew: python -m docs.write_presets
    folder = ROOT / "docs" / "presets"
    written = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}
    assert written == WRITE_PRESETS["pages"]()
    text = "".join(written.values())
    for name, preset in PRESETS.items():
        assert len(re.findall(rf"^## {name}$", text, re.MULTILINE)) == 1, name
        assert preset.score in text


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for path in (ROOT / "docs").rglob("*.md"):
        assert f" {path.relative_to(ROOT / 'docs').as_posix()}\n" in navigation, path.name


def test_figures_of_readme_are_those_of_speed_and_results() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    speed, results = (
        (ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("speed.md", "results.md")
    )
    steps = re.findall(r"^\| (\d+, .*) \| (.*) ms \| (.*) ms \| (.*) ms \|$", readme, re.MULTILINE)
    assert len(steps) == 3
    for sizes, ours, keras, torch in steps:
        row = rf"\| lstm \| {sizes} \| plain \| forward and backward \| {ours} \| {keras} \| "
        assert re.search(rf"{row}[\d.]+ \| {torch} \|", speed), sizes
    for name, median in re.findall(r"(Keras|PyTorch)\D*(\d\.\d\d) times", readme):
        line = {"Keras": "Keras layer", "PyTorch": "torch"}[name]
        assert re.search(rf"^- {line}: .*median {re.escape(median)},", speed, re.MULTILINE), name
    scores = re.findall(r"^\| `([\w-]+)` \| .* \| ([\d.]+%)(?: \(([\d.]+%))?", readme, re.MULTILINE)
    assert len(scores) == 5
    for name, *figures in scores:
        (row,) = re.findall(rf"^\| `{name}` \|.*$", results, re.MULTILINE)
        assert all(figure in row for figure in figures), name


@pytest.mark.parametrize("name", CELLS)
def test_each_cell_has_equations_and_a_reference(name: str) -> None:
    docstring = inspect.getdoc(CELLS[name]) or ""
    assert re.search(r"^( {4})?\w+ = .*", docstring, re.MULTILINE)
    assert "Reference: " in docstring or name in WITHOUT_REFERENCE


WITHOUT_REFERENCE = ("gated",)
"""Cells that no paper brought in."""
