"""Initialises a model's recurrent layers as the training settings specify."""

from typing import Any

from seqzoo.cells.base import RecurrentCell
from seqzoo.cells.initialization import initialize
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.inspection.layers import recurrent_layers


def initialize_layers(model: Any, names: str, seed: int) -> None:
    """Sets the initial weights of the recurrent layers of a model.

    Args:
        model: a built model.
        names: comma-separated names in `seqzoo.cells.initialization.NAMES`, some followed by a
            number, such as "orthogonal,chrono:100".
        seed: the seed of the random numbers, which differ between layers.

    Raises:
        SeqzooError: a name or a number is not valid, or a cell lacks the weights to set.
    """
    for index, layer in enumerate(recurrent_layers(model).values()):
        for item in names.split(","):
            name, _, number = item.strip().partition(":")
            try:
                value = float(number) if number else None
                if not isinstance(layer.cell, RecurrentCell):
                    raise ValueError(f"{type(layer.cell).__name__} is not a cell of seqzoo.cells.")
                initialize(layer.cell, name, value, seed=seed + index)
            except ValueError as error:
                raise SeqzooError(str(error), field="initialization") from error
