"""Writes the pages of cells and README's table of them: `python -m docs.write_cells`."""

import ast
import pathlib
import re

from seqzoo.zoo.catalogue import source_docs
from seqzoo.zoo.config import docstrings

FOLDER = pathlib.Path(__file__).parent / "cells"
WRITTEN = "<!-- Written by `python -m docs.write_cells`, from the docstrings of the cells. -->"
README = pathlib.Path(__file__).parents[1] / "README.md"
BEGIN = "<!-- Written by `python -m docs.write_cells`, from the registry of cells. -->"
END = "<!-- End of the generated part. -->"


def families() -> list[str]:
    """The families, in the order of the registry."""
    return list(dict.fromkeys(entry.family for entry in source_docs.registry().values()))


COLUMNS = (
    '"Columns" are the gates in the order of the columns of the kernel, of the recurrent kernel '
    "and of the bias."
)
"""Explains a label in the docstrings of cells."""


def page(family: str) -> str:
    """The page of a family: a table of its cells, then each with equations and options."""
    registry, docstrings_of = source_docs.registry(), source_docs.cells()
    names = [name for name, entry in registry.items() if entry.family == family]
    rows = [
        f"| [`{name}`](#{name}) | {registry[name].year} | {registry[name].products} "
        f"| {registry[name].summary} |"
        for name in names
    ]
    table = ["| cell | year | products | description |", "| --- | --- | --- | --- |", *rows]
    sections = [_section(name, registry[name].location, docstrings_of[name]) for name in names]
    title = {"lstm": "LSTM", "gru": "GRU", "wrappers": "Wrapper"}.get(family, family.capitalize())
    head = f"# {title} cells"
    columns = [COLUMNS] if any("Columns" in section for section in sections) else []
    parts = [head, WRITTEN, _purpose(family), "\n".join(table), *columns, *sections]
    measured = source_docs.measured()
    if any(name in measured.SPEED for name in names):
        parts.append(_benchmarks(names))
    return "\n\n".join(parts) + "\n"


def _benchmarks(names: list[str]) -> str:
    """The section with the speed of cells and their results on the adding problem."""
    measured = source_docs.measured()
    shapes = list(dict.fromkeys(shape for name in names for shape in measured.SPEED.get(name, {})))
    heads = [f"{', '.join(map(str, shape))}: {part}" for shape in shapes for part in ("f", "f + b")]
    rows = []
    for name in names:
        cells = [f"[`{name}`](#{name})"]
        for shape in shapes:
            times = measured.SPEED.get(name, {}).get(shape)
            if times is None:
                cells += ["", ""]
                continue
            forward, both, keras_forward, keras_both = times
            cells.append(f"{forward:.1f} ({keras_forward / forward:.1f})")
            cells.append(f"{both:.1f} ({keras_both / both:.1f})")
        steps, error = measured.ADDING.get(name, ("", None))
        cells.append("not learned" if steps is None else f"{steps:,}" if steps else "")
        cells.append("" if error is None else f"{error:.4f}")
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(
        [
            "## Benchmarks",
            "",
            "Milliseconds for one pass of a layer, forward (f) or forward and backward (f + b), by "
            f"batch, time, {'features' if len(shapes[0]) == 4 else 'frame'} and units; in brackets "
            "how many times as long `keras.layers.RNN` around the same cell takes "
            "([speed](../speed.md#every-cell)). Training steps until the [adding "
            "problem](../cells.md#cells-on-the-adding-problem) of 50 steps is learned, and the "
            f"final mean squared error. {measured.MACHINE}.",
            "",
            f"| cell | {' | '.join(heads)} | adding, steps | error |",
            "| " + " | ".join(["---"] * (3 + len(heads))) + " |",
            *rows,
        ]
    )


def readme(text: str) -> str:
    """README with its table of all cells.

    Raises:
        ValueError: `text` has no markers for the table.
    """
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"README.md must contain the lines {BEGIN} and {END}")
    registry = source_docs.registry()
    rows = []
    for family in families():
        names = [f"`{name}`" for name, entry in registry.items() if entry.family == family]
        rows.append(f"| [{family}](docs/cells/{family}.md) | {', '.join(names)} |")
    count = (
        f"seqzoo has {len(registry)} cells, each with its equations and, except for `gated`, its "
        "paper:"
    )
    table = "\n".join(["| family | cells |", "| --- | --- |", *rows])
    return f"{head}{BEGIN}\n{count}\n\n{table}\n\n{END}{tail}"


def _purpose(family: str) -> str:
    """The docstring of the family's package."""
    package = source_docs.ROOT / "cells" / family.replace("-", "_") / "__init__.py"
    text = package.read_text(encoding="utf-8")
    return ast.get_docstring(ast.parse(text)) or ""


def _section(name: str, location: str, docstring: str) -> str:
    body, sections = docstrings.split_sections(docstring)
    parts = [f"## {name}", f"`seqzoo.cells.{location.partition(':')[2]}`", _fenced(body)]
    if "Reference" in sections:
        reference = " ".join(line.strip() for line in sections["Reference"]).strip()
        parts.append(f"Reference: {reference}")
    options = docstrings.entries(docstring, "Args")
    listed = [f"- `{key}`: {text}" for key, text in options.items() if not key.startswith("**")]
    return "\n\n".join([*parts, "\n".join(listed)])


def _fenced(body: str) -> str:
    """Text with its indented lines, the equations, in code blocks."""
    paragraphs = re.split(r"\n{2,}", body)
    fenced = [
        "\n".join(["```text", *(line.removeprefix("    ") for line in part.splitlines()), "```"])
        if part.startswith("    ")
        else part
        for part in paragraphs
    ]
    return "\n\n".join(fenced)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for family in families():
        (FOLDER / f"{family}.md").write_text(page(family), encoding="utf-8")
    README.write_text(readme(README.read_text(encoding="utf-8")), encoding="utf-8")
