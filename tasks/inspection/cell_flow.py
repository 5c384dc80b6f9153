"""Compares the gradient flow of untrained cells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from seqzoo.cells import Recurrent, create
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.inspection.gradients import Decay, decay, gradient_flow
from seqzoo.tasks.inspection.trace import trace

DISTANCES = (10, 100, 1000)
"""Numbers of steps back at which cells are compared."""

FEATURES = 8
"""Number of features of the inputs."""


@dataclass(frozen=True)
class CellFlow:
    """The gradient flow of one cell.

    Attributes:
        cell: the name of the cell.
        units: its number of units.
        norms: norms of d loss / d state at 0, 1, 2, ... steps back, (distance + 1,).
        shares: the fraction of the gradient that remains, by number of steps back.
        decay: the decay of the norms.
    """

    cell: str
    units: int
    norms: np.ndarray
    shares: dict[int, float]
    decay: Decay = field(repr=False)


def cell_flows(
    cells: Mapping[str, Mapping[str, Any]] | Sequence[str],
    distances: Sequence[int] = DISTANCES,
    seed: int = 0,
) -> list[CellFlow]:
    """How much of the last step's gradient reaches earlier states, for newly created cells.

    The inputs are standard normal; the loss is the dot product of the last output and a random
    direction.

    Args:
        cells: names of cells, which are created with 32 units; or a mapping from names to the
            options of `seqzoo.cells.create`.
        distances: numbers of steps back to report; the largest is the length of the sequence.
        seed: the seed of the weights and the inputs.

    Raises:
        SeqzooError: a cell reads frames instead of vectors.
    """
    named = cells if isinstance(cells, Mapping) else {name: {"units": 32} for name in cells}
    steps = max(distances)
    results = []
    for name, options in named.items():
        # Anew for each cell, so that its result does not depend on the cells before it.
        random = np.random.default_rng(seed)
        keras.utils.set_random_seed(seed)
        inputs = tf.constant(random.normal(size=(1, steps, FEATURES)), tf.float32)
        cell = create(name, **options)
        if cell.input_rank != 2:
            raise SeqzooError(
                f"The gradient flow of {name!r} cannot be compared, since the cell reads frames "
                "instead of vectors."
            )
        layer = Recurrent(cell, return_sequences=True)
        arguments: Any = inputs
        if cell.takes_time:  # one unit of time between steps
            arguments = (inputs, tf.ones_like(inputs[:, :, 0]))
        width = layer(arguments).shape[-1]
        direction = tf.constant(random.normal(size=width) / np.sqrt(width), tf.float32)

        def loss(outputs: Any, direction: Any = direction) -> Any:
            return tf.reduce_sum(outputs[:, -1] * direction)

        traced = trace(layer, lambda layer=layer, arguments=arguments: layer(arguments), loss)
        (flow,) = gradient_flow(traced)
        shares = {distance: float(flow.norms[distance] / flow.norms[0]) for distance in distances}
        results.append(CellFlow(name, cell.units, flow.norms, shares, decay(flow.norms)))
    return results
