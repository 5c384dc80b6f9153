"""Compares a small layer on its execution path on this machine with the plain loop."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

import seqzoo.cells

ROWS, STEPS, FEATURES, UNITS = 3, 6, 5, 4
FRAME_SIZE = 3
"""Height and width of the frames that convolutional cells read."""


def path_of(name: str) -> str:
    """A description of the execution path of a cell, the same for all cells on that path."""
    cell = seqzoo.cells.create(name, UNITS)
    path = seqzoo.cells.Recurrent(cell).execution_path()
    return path.replace(type(cell).__name__, "the cell")


def difference(name: str) -> float:
    """The largest difference in outputs and gradients between a cell's path and the plain loop.

    Args:
        name: name of a cell.
    """
    fast, slow = _results(name, fast=True), _results(name, fast=False)
    return max(float(np.abs(a - b).max()) for a, b in zip(fast, slow, strict=True))


def tolerance() -> float:
    """The maximum difference allowed; GPUs compute products with lower precision."""
    return 5e-3 if tf.config.list_physical_devices("GPU") else 1e-4


def _results(name: str, *, fast: bool) -> list[np.ndarray]:
    """Outputs of a masked batch, and the gradient of each weight."""
    random = np.random.default_rng(0)
    layer: Any = seqzoo.cells.Recurrent(
        seqzoo.cells.create(name, UNITS), return_sequences=True, fast=fast
    )
    frame = (FRAME_SIZE, FRAME_SIZE) if layer.cell.input_rank == 4 else ()
    inputs = tf.constant(random.normal(size=(ROWS, STEPS, *frame, FEATURES)).astype(np.float32))
    layer.build(inputs.shape)
    layer.set_weights([random.normal(size=weight.shape) * 0.5 for weight in layer.get_weights()])
    upstream = tf.constant(random.normal(size=(ROWS, STEPS, *frame, UNITS)).astype(np.float32))
    mask = tf.sequence_mask([STEPS, 2, 4], STEPS)
    with tf.GradientTape() as tape:
        outputs = layer(inputs, mask=mask)
        loss = keras.ops.sum(outputs * upstream)
    gradients = tape.gradient(loss, layer.trainable_weights)
    return [np.array(outputs), *map(np.array, gradients)]
