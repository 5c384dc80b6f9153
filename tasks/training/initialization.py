"""Initialises a model's recurrent layers as the training settings specify."""

from typing import Any

import tensorflow as tf

from seqzoo.cells.base import RecurrentCell
from seqzoo.cells.initialization import initialize
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.fine_tuning.layers import weights_by_layer
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
                value = _number(name, number) if ":" in item else None
                if not isinstance(layer.cell, RecurrentCell):
                    raise ValueError(f"{type(layer.cell).__name__} is not a cell of seqzoo.cells.")
                initialize(layer.cell, name, value, seed=seed + index)
            except ValueError as error:
                raise SeqzooError(str(error), field="initialization") from error


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(
            "`initialization` must be names, some followed by a number, as in "
            f"orthogonal,chrono:100, got {name}:{text}."
        ) from None


def check_effect(model: Any, report: dict[str, Any]) -> None:
    """Checks that fine-tuning leaves a recurrent layer with its initial weights.

    Args:
        model: the new model.
        report: what it took from an earlier run; see `Start.transfer`.

    Raises:
        SeqzooError: all recurrent layers were taken.
    """
    layers = weights_by_layer(model)
    taken = {id(weight) for name in report["taken"] for weight in layers[name].values()}
    cells = (layer.cell for layer in recurrent_layers(model).values())
    weights = [weight for cell in cells for weight in cell.weights]
    if all(id(item) in taken for item in weights if tf.as_dtype(item.dtype).is_floating):
        raise SeqzooError(
            "`initialization` is for new recurrent layers, but all of them come from "
            f"{report['run']}; leave it out.",
            field="initialization",
        )
