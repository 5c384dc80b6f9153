"""The documentation is correct: links resolve, and equations are those of the cells."""

import inspect
import pathlib
import re
import runpy
from importlib import import_module

import pytest

from seqzoo.cells import CELLS
from seqzoo.zoo import card, list_trained
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
    assert not broken, f"{_name(path)} has broken links: {broken}"


WRITE_CELLS = runpy.run_path(str(ROOT / "docs" / "write_cells.py"))


@pytest.mark.parametrize("family", WRITE_CELLS["families"]())
def test_the_page_of_a_family_is_that_of_its_docstrings(family: str) -> None:
    # If this fails, run: python -m docs.write_cells
    page = (ROOT / "docs" / "cells" / f"{family}.md").read_text(encoding="utf-8")
    assert page == WRITE_CELLS["page"](family)
    for file in (ROOT / "docs" / "cells.md", ROOT / "mkdocs.yml"):
        assert f"cells/{family}.md" in file.read_text(encoding="utf-8"), file.name


def test_readme_lists_all_cells() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    # If this fails, run: python -m docs.write_cells
    assert text == WRITE_CELLS["readme"](text)
    assert set(CELLS) <= set(re.findall(r"`([\w-]+)`", text))


WRITE_PRESETS = runpy.run_path(str(ROOT / "docs" / "write_presets.py"))


def test_pages_of_presets_are_those_of_presets_cards_and_results() -> None:
    # If this fails, run: python -m docs.write_presets
    folder = ROOT / "docs" / "presets"
    written = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}
    assert written == WRITE_PRESETS["pages"]()
    assert set(written) == {"index.md", *(f"{name}.md" for name in PRESETS)}
    for name, preset in PRESETS.items():
        assert preset.score in written[f"{name}.md"], name
        assert preset.score in written["index.md"], name


def _row(name: str) -> str:
    """The first row of a preset in the tables of results.md."""
    results = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    return re.findall(rf"^\| `{name}\b(?!-).*$", results, re.MULTILINE)[0]


@pytest.mark.parametrize("name", [name for name, preset in PRESETS.items() if preset.score])
def test_the_score_of_a_preset_is_that_of_the_results(name: str) -> None:
    row = _row(name)
    # Percentages, and the other figures with decimals, in order; counts of examples as well.
    figures = re.findall(r"\d+\.\d+|\d+,\d+", PRESETS[name].score)
    assert figures
    assert [figure for figure in figures if figure not in row] == []


@pytest.mark.parametrize("name", list_trained())
def test_the_results_of_a_pretrained_model_are_those_of_its_card(name: str) -> None:
    scores, row = card(name)["scores"], _row(name)
    key = {"python-source": "bits", "line-reader": "character_error"}.get(name) or next(
        key for key in ("exact_match", "accuracy") if key in scores
    )
    (figure,) = re.findall(r"\d+\.\d+", PRESETS[name].score)
    value = scores[key] * (1 if key == "bits" else 100)
    decimals = len(figure.partition(".")[2])
    # The model was packed after it was scored: the last digit may differ by one.
    assert abs(float(figure) - value) <= 1.01 * 10**-decimals, (figure, value)
    assert figure in row
    assert f"{scores['examples']:,}" in row


@pytest.mark.parametrize("package", ["seqzoo.cells", "seqzoo.tasks", "seqzoo.zoo"])
def test_every_public_name_has_an_entry_in_the_api_reference(package: str) -> None:
    reference = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    families = "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "cells").glob("*.md")
    )
    missing = []
    for name in import_module(package).__all__:
        full = f"{package}.{name}"
        # The classes of cells have their entries on the pages of families.
        entries = re.findall(rf"^(?:::: |### `){re.escape(full)}`?$", reference, re.MULTILINE)
        if not entries and f"`{full}`" not in families:
            missing.append(full)
    assert missing == []


def test_every_entry_of_the_api_reference_is_public() -> None:
    reference = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    for entry in re.findall(r"^::: (\S+)$", reference, re.MULTILINE):
        package, _, name = entry.rpartition(".")
        assert name in import_module(package).__all__, entry


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
