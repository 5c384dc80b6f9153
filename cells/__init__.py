"""What happens in one time step, and how a step is run through time."""

from difflib import get_close_matches
from typing import Any

from seqzoo.cells.base import RecurrentCell
from seqzoo.cells.engine.dispatch import portable
from seqzoo.cells.gru.gru import GRUCell
from seqzoo.cells.layers.recurrent import Bidirectional, Recurrent
from seqzoo.cells.lstm.lstm import LSTMCell
from seqzoo.cells.simple.gated import GatedCell
from seqzoo.cells.simple.vanilla import VanillaCell

CELLS: dict[str, type[RecurrentCell]] = {
    "vanilla": VanillaCell,
    "gated": GatedCell,
    "lstm": LSTMCell,
    "gru": GRUCell,
}


def create(name: str, /, units: int, **options: Any) -> RecurrentCell:
    """Makes a cell by its name in `CELLS`.

    Args:
        name: key of `CELLS`.
        units: size of its state.
        **options: of the cell's class.

    Raises:
        ValueError: there is no cell of that name.
    """
    if name not in CELLS:
        near = get_close_matches(name, CELLS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(CELLS)}."
        raise ValueError(f"There is no cell named {name!r}; {hint}")
    return CELLS[name](units, **options)


__all__ = [
    "CELLS",
    "Bidirectional",
    "GRUCell",
    "GatedCell",
    "LSTMCell",
    "Recurrent",
    "RecurrentCell",
    "VanillaCell",
    "create",
    "portable",
]
