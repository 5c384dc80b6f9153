"""The names of cells, read without the package `seqzoo.cells`, which imports Keras."""

import importlib.util
import pathlib
import sys
from functools import cache
from typing import Any

from seqzoo.tasks.errors import SeqzooError, nearest_of

CELLS = pathlib.Path(__file__).resolve().parent.parent / "cells"
"""Folder of the package `seqzoo.cells`."""


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
    """Checks that a template's cell exists.

    Raises:
        SeqzooError: there is no such cell.
    """
    imported = sys.modules.get("seqzoo.cells")
    # A program may have added its own cells.
    names = {**cells_module("registry").REGISTRY, **getattr(imported, "CELLS", {})}
    if template.cell not in names:
        hint = nearest_of(template.cell, names)
        raise SeqzooError(
            f"There is no cell named {template.cell!r}{hint}", field="cell", got=template.cell
        )
