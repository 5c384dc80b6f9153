"""The names of cells, read without the package `seqzoo.cells`, which imports Keras."""

import importlib.util
import pathlib
import sys
from functools import cache
from typing import Any

from seqzoo.tasks.errors import SeqzooError, nearest_of

CELLS = pathlib.Path(__file__).resolve().parent.parent / "cells"
"""Folder of the package `seqzoo.cells`."""

OF_TEMPLATE = ("units", "dropout", "recurrent_dropout", "dtype")
"""Arguments of a cell that its template sets, so they are no options of its own."""


@cache
def cells_module(name: str) -> Any:
    """A module of `seqzoo.cells` that contains only data, imported without its package."""
    path = CELLS / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"seqzoo_cells_{name}", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check_cell(template: Any) -> None:
    """Checks that a template's cell exists, and that its options leave those of the template alone.

    Raises:
        SeqzooError: there is no such cell, or the template sets one of the options.
    """
    imported = sys.modules.get("seqzoo.cells")
    # A program may have added its own cells.
    names = {**cells_module("registry").REGISTRY, **getattr(imported, "CELLS", {})}
    if template.cell not in names:
        hint = nearest_of(template.cell, names)
        raise SeqzooError(
            f"There is no cell named {template.cell!r}{hint}", field="cell", got=template.cell
        )
    for name in OF_TEMPLATE:
        if name in template.cell_options:
            own = "the training setting `precision`" if name == "dtype" else f"`{name}`"
            raise SeqzooError(
                f"`cell_options` must not contain {name!r}; use {own} instead.",
                field="cell_options",
                got=name,
            )
