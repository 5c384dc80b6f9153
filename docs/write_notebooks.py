"""Runs the notebooks and writes them as .ipynb and as pages: `python -m docs.write_notebooks`.

A notebook is written as a Python file with cells that begin with `# %%`. Its outputs are stored in
the .ipynb, from which the page of the site is made.
"""

import contextlib
import io
import json
import os
import pathlib
import re
import tempfile
from typing import Any

FOLDER = pathlib.Path(__file__).parent / "notebooks"
WRITTEN = "<!-- Written by `python -m docs.write_notebooks`, from {}. -->"
MARK = re.compile(r"^# %%(.*)\n", re.MULTILINE)


def sources() -> list[pathlib.Path]:
    """The Python files that the notebooks are written from."""
    return sorted(FOLDER.glob("*.py"))


def cells(source: str) -> list[tuple[str, str]]:
    """The cells of a notebook: "markdown" or "code", and the text.

    Raises:
        ValueError: there is text before the first cell.
    """
    before, *parts = MARK.split(source)
    if before.strip():
        raise ValueError(f"a notebook must begin with a cell (# %%), got {before[:40]!r}")
    found = []
    for title, text in zip(parts[::2], parts[1::2], strict=True):
        if title.strip() == "[markdown]":
            lines = [line.removeprefix("#").removeprefix(" ") for line in text.strip().split("\n")]
            found.append(("markdown", "\n".join(lines)))
        else:
            found.append(("code", text.strip()))
    return found


def run(code: list[str], name: str) -> list[str]:
    """Runs the code of a notebook in the current folder.

    Args:
        code: its cells.
        name: the name of the notebook, for tracebacks.

    Returns:
        What each cell printed.
    """
    namespace: dict[str, Any] = {"__name__": "__main__"}
    outputs = []
    for number, text in enumerate(code, 1):
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            exec(compile(text, f"{name}, cell {number}", "exec"), namespace)
        outputs.append(output.getvalue())
    return outputs


def notebook(parts: list[tuple[str, str]], outputs: list[str]) -> dict[str, Any]:
    """A notebook in Jupyter's format (nbformat 4.5)."""
    remaining = iter(enumerate(outputs, 1))
    written: list[dict[str, Any]] = []
    for index, (kind, text) in enumerate(parts):
        cell = {"cell_type": kind, "id": f"cell-{index}", "metadata": {}, "source": _lines(text)}
        if kind == "code":
            number, output = next(remaining)
            stream = {"name": "stdout", "output_type": "stream", "text": _lines(output)}
            cell |= {"execution_count": number, "outputs": [stream] if output else []}
        written.append(cell)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"cells": written, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def page(content: dict[str, Any], name: str) -> str:
    """The page of the site that shows a notebook with its outputs."""
    parts = [WRITTEN.format(f"{name}.py")]
    for cell in content["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(text)
            if len(parts) == 2:
                parts.append(f"[Download this notebook]({name}.ipynb)")
        else:
            parts.append(f"```python\n{text}\n```")
            parts += [f"```text\n{''.join(item['text'])}```" for item in cell["outputs"]]
    return "\n\n".join(parts) + "\n"


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def main() -> None:
    """Runs and writes all notebooks."""
    for path in sources():
        parts = cells(path.read_text(encoding="utf-8"))
        with tempfile.TemporaryDirectory() as folder:
            before = os.getcwd()
            os.chdir(folder)
            outputs = run([text for kind, text in parts if kind == "code"], path.stem)
            os.chdir(before)
        content = notebook(parts, outputs)
        written = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        path.with_suffix(".ipynb").write_text(written, encoding="utf-8")
        path.with_suffix(".md").write_text(page(content, path.stem), encoding="utf-8")


if __name__ == "__main__":
    main()
