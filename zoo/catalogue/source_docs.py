"""Cells and data sets as their source tells them, without importing it.

Importing `seqzoo.cells` imports Keras and TensorFlow, which takes seconds; names and docstrings
stand in the source for anyone to read.
"""

import ast
import pathlib
from functools import cache

from seqzoo.zoo.datasets import DATASETS

ROOT = pathlib.Path(__file__).resolve().parents[2]
"""Of the package."""


@cache
def cells() -> dict[str, str]:
    """Each name of `seqzoo.cells.CELLS`, with the docstring of its class."""
    tree = _tree("seqzoo.cells")
    modules = {
        name.asname or name.name: node.module or ""
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    registry = next(
        node.value
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "CELLS"
    )
    if not isinstance(registry, ast.Dict):
        raise TypeError("CELLS in cells/__init__.py must be a literal dictionary.")
    return {
        ast.literal_eval(key): _docstring(modules[value.id], value.id)
        for key, value in zip(registry.keys, registry.values, strict=True)
        if key is not None and isinstance(value, ast.Name)
    }


@cache
def datasets() -> dict[str, str]:
    """Each embedded data set, with the docstring of its builder."""
    return {name: _docstring(*place.split(":")) for name, place in DATASETS.items()}


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
