"""Tables and lines that commands print: drawn for a terminal, plain for a pipe."""

import io
import math
import sys
from collections.abc import Sequence
from fnmatch import fnmatch
from typing import Any

from seqzoo.tasks.errors import SeqzooError, nearest
from seqzoo.zoo.catalogue import source_docs as static
from seqzoo.zoo.config.docstrings import first_line

WORST = 10
"""Number of classes and confusions that an evaluation lists."""


NAMES = {
    "macro_accuracy": "mean accuracy of classes",
    "macro_f1": "mean F1 of classes",
    "entity F1": "entity F1",
}
"""Metrics that are printed under another name."""


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table: drawn on a terminal; on a pipe, columns separated by tabs below their heads."""
    if not sys.stdout.isatty():
        return "\n".join("\t".join(map(one_line, row)) for row in [heads, *rows])
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(*heads, box=SIMPLE)
    for row in rows:
        drawn.add_row(*map(Text, row))  # `Text`, so that brackets are not markup
    # Written to a string first, so that it is printed as a whole.
    console = Console(file=io.StringIO(), width=Console().width, force_terminal=True)
    console.print(drawn)
    return console.file.getvalue().strip("\n")  # pyright: ignore[reportAttributeAccessIssue]


def line(figures: dict[str, Any]) -> str:
    """The metrics that are single numbers: "accuracy 0.8132, loss 0.7011"."""
    if "entities" in figures:
        figures = figures | {"entity F1": float(figures["entities"]["f1"])}
    if same_number(figures.get("nll"), figures.get("loss")):
        figures = {name: value for name, value in figures.items() if name != "loss"}
    return ", ".join(
        f"{metric_name(name)} {value:,}"
        if isinstance(value, int)
        else f"{metric_name(name)} {value:.4f}"
        for name, value in figures.items()
        if isinstance(value, int | float)
    )


def metric_name(name: str) -> str:
    """The name of a metric as it is printed: "token error"."""
    return NAMES.get(name, name.replace("_", " "))


def same_number(one: float | None, other: float | None) -> bool:
    """Whether two metrics exist and differ by no more than rounding."""
    return one is not None and other is not None and math.isclose(one, other, rel_tol=1e-4)


def figures(scores: dict[str, Any]) -> str:
    """The summary of an evaluation: numbers, weakest classes, confusions."""
    parts = [line(scores)]
    classes = [row for row in scores.get("classes", ()) if row["examples"]]
    if classes:
        classes.sort(key=lambda row: (row["f1"], row["label"]))
        names = list(classes[0])
        parts.append(f"\nBy label, worst first ({min(WORST, len(classes))} of {len(classes)}):")
        rows = [[_cell(row[name]) for name in names] for row in classes[:WORST]]
        parts.append(table(names, rows))
    confusions = scores.get("confusions", ())[:WORST]
    if confusions:
        parts.append("\nMost frequent wrong answers:")
        names = list(confusions[0])
        parts.append(table(names, [[_cell(row[name]) for name in names] for row in confusions]))
    return "\n".join(parts) + "\n"


def finding(found: Any) -> str:
    """A finding of `doctor` in one line, and another on what to do."""
    mark = {"ok": "ok    ", "note": "note  ", "broken": "BROKEN"}[found.state]
    fix = f"          {found.fix}\n" if found.fix else ""
    return f"{mark}  {found.subject}: {found.told}\n{fix}"


def shown_target(target: Any) -> str:
    """A target, written like the label of a prediction."""
    if isinstance(target, str):
        return target
    if hasattr(target, "__len__"):
        return ", ".join(map(shown_target, target))
    return f"{float(target):.6g}"


def one_line(text: str) -> str:
    """A label as a field of a line: tabs and line ends become spaces."""
    return " ".join(text.splitlines()).replace("\t", " ")


def shortened(text: str, most: int = 60) -> str:
    """A text in one line of limited length."""
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


def listed(what: str | None, pattern: str, family: str | None = None) -> dict[str, dict[str, str]]:
    """The names that exist: kind -> name -> description; of all kinds if `what` is None.

    Raises:
        SeqzooError: the family of cells does not exist.
    """
    registry = static.registry()
    families = dict.fromkeys(entry.family for entry in registry.values())
    if family is not None and family not in families:
        raise SeqzooError(
            f"There is no family of cells named {family!r} (there are {', '.join(families)})"
            f"{nearest(family, families)}"
        )
    sections = {
        "cells": _cells,
        "templates": _templates,
        "presets": _presets,
        "datasets": _datasets,
    }
    found = {kind: sections[kind]() for kind in ([what] if what else sections)}
    return {
        kind: {
            name: text
            for name, text in entries.items()
            if fnmatch(name, pattern) and (family is None or registry[name].family == family)
        }
        for kind, entries in found.items()
    }


def listing(what: str | None, pattern: str, family: str | None = None) -> str:
    """The same as tables.

    Raises:
        SeqzooError: no name matches.
    """
    found = listed(what, pattern, family)
    if not any(found.values()):
        raise SeqzooError(f"None of {', '.join(found)} has a name like {pattern!r}.")
    if what == "cells":
        return _cell_table(list(found["cells"])) + "\n"
    parts = [
        table([kind, ""], [[name, text] for name, text in entries.items()])
        for kind, entries in found.items()
        if entries
    ]
    return "\n\n".join(parts) + "\n"


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _cells() -> dict[str, str]:
    return {name: entry.summary for name, entry in static.registry().items()}


def _cell_table(names: list[str]) -> str:
    rows = []
    for name in names:
        entry = static.registry()[name]
        parallel = "yes" if entry.parallel else ""
        cells = [entry.family, str(entry.year), str(entry.products), parallel, entry.summary]
        rows.append([name, *cells])
    return table(["cell", "family", "year", "products", "parallel", ""], rows)


def _templates() -> dict[str, str]:
    from seqzoo.tasks import TEMPLATES

    return {name: first_line(template) for name, template in TEMPLATES.items()}


def _presets() -> dict[str, str]:
    from seqzoo.zoo.presets import PRESETS

    return {name: preset.description for name, preset in PRESETS.items()}


def _datasets() -> dict[str, str]:
    return {name: text.partition("\n")[0] for name, text in static.datasets().items()}


def figures_alone(figures: dict[str, Any]) -> dict[str, Any]:
    """An evaluation without its samples, which are in its folder."""
    return {name: own for name, own in figures.items() if name != "samples"}
