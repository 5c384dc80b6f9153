"""Recurrent cells, and the layers that run them through time."""

from importlib import import_module
from typing import Any

from seqzoo.cells.base import RecurrentCell
from seqzoo.cells.engine.portability import portable
from seqzoo.cells.layers.recurrent import Bidirectional, Recurrent
from seqzoo.cells.registry import REGISTRY
from seqzoo.cells.spelling import suggestion


def _class(location: str) -> type[RecurrentCell]:
    module, _, name = location.partition(":")
    return getattr(import_module(module), name)


# Imported all at once, because Keras finds the class of a saved cell only once it is registered.
CELLS: dict[str, type[RecurrentCell]] = {
    name: _class(entry.location) for name, entry in REGISTRY.items()
}
_CLASSES = {cell_class.__name__: cell_class for cell_class in CELLS.values()}


def create(name: str, /, units: int, **options: Any) -> RecurrentCell:
    """Creates a cell by its name in `CELLS`.

    Args:
        name: key of `CELLS`.
        units: size of the output and of each state.
        **options: keyword arguments of the cell's class.

    Returns:
        The cell, not yet built.

    Raises:
        ValueError: there is no cell of that name, or the cell has no such option.
    """
    if not isinstance(name, str) or name not in CELLS:
        hint = suggestion(str(name), CELLS) or f"; choose one of {', '.join(CELLS)}."
        raise ValueError(f"There is no cell named {name!r}{hint}")
    return CELLS[name](units, **options)


def __getattr__(name: str) -> Any:
    if name in _CLASSES:
        return _CLASSES[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [  # pyright: ignore[reportUnsupportedDunderAll]
    "CELLS",
    "Bidirectional",
    "Recurrent",
    "RecurrentCell",
    "create",
    "portable",
    *_CLASSES,
]
