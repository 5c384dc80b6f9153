"""Notebooks run from top to bottom, and their stored outputs and pages follow their sources."""

import json
import pathlib
import runpy

import pytest

from seqzoo.cells import portable

ROOT = pathlib.Path(__file__).resolve().parents[2]
WRITER = runpy.run_path(str(ROOT / "docs" / "write_notebooks.py"))
SOURCES = WRITER["sources"]()


def _parts(source: pathlib.Path) -> list[tuple[str, str]]:
    return WRITER["cells"](source.read_text(encoding="utf-8"))


def _stored(source: pathlib.Path) -> dict:
    return json.loads(source.with_suffix(".ipynb").read_text(encoding="utf-8"))


def test_there_are_notebooks() -> None:
    assert {item.stem for item in SOURCES} == {"a_cell_of_your_own", "classify_a_data_frame"}


@pytest.mark.parametrize("source", SOURCES, ids=lambda item: item.stem)
def test_the_stored_notebook_and_its_page_are_those_of_the_source(source: pathlib.Path) -> None:
    # If this fails, run: python -m docs.write_notebooks
    stored, parts = _stored(source), _parts(source)
    outputs = [
        "".join(text for item in cell["outputs"] for text in item["text"])
        for cell in stored["cells"]
        if cell["cell_type"] == "code"
    ]
    assert any(outputs)
    assert stored == WRITER["notebook"](parts, outputs)
    page = source.with_suffix(".md").read_text(encoding="utf-8")
    assert page == WRITER["page"](stored, source.stem)


def _runs() -> list:
    """All notebooks. They train, so they are slow."""
    return [pytest.param(item, id=item.stem, marks=pytest.mark.slow) for item in SOURCES]


@pytest.mark.parametrize("source", _runs())
def test_a_notebook_runs(source: pathlib.Path, tmp_path, monkeypatch) -> None:
    if "pandas" in source.read_text(encoding="utf-8"):
        pytest.importorskip("pandas")
    monkeypatch.chdir(tmp_path)
    code = [text for kind, text in _parts(source) if kind == "code"]
    with portable():  # Keras' loop: nothing has to be compiled
        outputs = WRITER["run"](code, source.stem)
    # Numbers differ a little between processors; how much is printed does not.
    stored = [cell for cell in _stored(source)["cells"] if cell["cell_type"] == "code"]
    lines = [sum(len(item["text"]) for item in cell["outputs"]) for cell in stored]
    assert [output.count("\n") for output in outputs] == lines


def test_text_before_the_first_cell_is_an_error() -> None:
    with pytest.raises(ValueError, match="must begin with a cell"):
        WRITER["cells"]("import os\n# %%\n")
