"""Facts about cells and data sets, read from their source without importing it.

Importing `seqzoo.cells` imports Keras and TensorFlow, which takes seconds; names and docstrings
are in the source.
"""

import ast
import importlib.util
import pathlib
from functools import cache
from typing import Any

from seqzoo.zoo.datasets import DATASETS

ROOT = pathlib.Path(__file__).resolve().parents[2]
"""Folder of the package."""


@cache
def registry() -> dict[str, Any]:
    """The entries of `seqzoo.cells.registry.REGISTRY`."""
    return _alone("registry").REGISTRY


@cache
def sizes() -> dict[str, tuple[int, int]]:
    """States and parameters of each cell: `seqzoo.cells.sizes.SIZES`."""
    return _alone("sizes").SIZES


@cache
def measured() -> Any:
    """The module `seqzoo.cells.measured`: speed, and results on the adding problem."""
    return _alone("measured")


@cache
def cells() -> dict[str, str]:
    """Each name of `seqzoo.cells.CELLS`, with the docstring of its class."""
    return {name: _docstring(*entry.location.split(":")) for name, entry in registry().items()}


@cache
def datasets() -> dict[str, str]:
    """Each embedded data set, with the docstring of its builder."""
    return {name: _docstring(*place.split(":")) for name, place in DATASETS.items()}


def _alone(name: str) -> Any:
    """A module of `cells/` without its package, which imports TensorFlow."""
    path = ROOT / "cells" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"seqzoo_cells_{name}", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _docstring(module: str, name: str) -> str:
    """The docstring of a class at the top of a module."""
    for node in _tree(module).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return ast.get_docstring(node) or ""
    raise LookupError(f"There is no class {name} at the top of {module}.")


def _tree(module: str) -> ast.Module:
    path = ROOT.joinpath(*module.split(".")[1:])
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(path.read_text(encoding="utf-8"))
