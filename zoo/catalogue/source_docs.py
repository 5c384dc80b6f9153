"""Facts about cells and data sets, read from their source without importing it.

Importing `seqzoo.cells` imports Keras and TensorFlow, which takes seconds; names and docstrings
are in the source.
"""

import ast
import pathlib
from functools import cache
from typing import Any

from seqzoo.tasks.cell_names import cells_module
from seqzoo.zoo.datasets import DATASETS

ROOT = pathlib.Path(__file__).resolve().parents[2]
"""Folder of the package."""


@cache
def registry() -> dict[str, Any]:
    """The entries of `seqzoo.cells.registry.REGISTRY`."""
    return cells_module("registry").REGISTRY


@cache
def sizes() -> dict[str, tuple[int, int]]:
    """States and parameters of each cell: `seqzoo.cells.sizes.SIZES`."""
    return cells_module("sizes").SIZES


@cache
def measured() -> Any:
    """The module `seqzoo.cells.measured`: speed, and results on the adding problem."""
    return cells_module("measured")


@cache
def cells() -> dict[str, str]:
    """Each name of `seqzoo.cells.CELLS`, with the docstring of its class."""
    return {name: _docstring(*entry.location.split(":")) for name, entry in registry().items()}


@cache
def datasets() -> dict[str, str]:
    """Each built-in data set, with the docstring of its builder."""
    return {name: _docstring(*target.split(":")) for name, target in DATASETS.items()}


def _docstring(module: str, name: str) -> str:
    """The docstring of a class at the top level of a module."""
    for node in _tree(module).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return ast.get_docstring(node) or ""
    raise LookupError(f"There is no class {name} at the top level of {module}.")


def _tree(module: str) -> ast.Module:
    path = ROOT.joinpath(*module.split(".")[1:])
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(path.read_text(encoding="utf-8"))
