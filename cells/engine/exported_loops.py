"""The compiled loops in exported graphs: fast where TensorFlow has XLA, correct without it.

A function that is marked to be compiled contains only operations that TensorFlow itself has, so a
program without XLA, which ignores the mark, runs it unchanged.
"""

from typing import Any

import tensorflow as tf

from seqzoo.cells.engine.dispatch import keeps_contract
from seqzoo.cells.engine.portability import portable
from seqzoo.cells.engine.runners import run_by
from seqzoo.cells.engine.scan import round_length, scan_of

FEWEST_ROWS = 32
"""Minimum rows of a batch for the compiled loops; for fewer, compiling would not pay off."""

PIECES = {0: 2, 128: 4}
"""Number of pieces of a batch, by the minimum number of its rows; the number of cores is not known
in advance."""


def run_compiled(layer: Any, sequences: Any, states: list, mask: Any) -> tuple[Any, Any, list]:
    """A runner, see `seqzoo.cells.engine.runners`: the compiled loops for batches of at least
    `FEWEST_ROWS`, the plain loop for smaller ones.

    XLA compiles a program for each shape, so rows and steps are padded to one of a few
    numbers: four from one power of two to the next.
    """

    if not keeps_contract(layer.cell) or sequences.shape[1] == 1:
        with run_by(None), portable():
            return layer.inner_loop(sequences, states, mask)

    def plain() -> list:
        with run_by(None), portable():
            last, outputs, new = layer.inner_loop(sequences, states, mask)
        return [last, outputs, *new]

    def compiled(pieces: int) -> list:
        with run_by(None), portable():
            return _compiled(layer, sequences, states, mask, pieces)

    rows, least = tf.shape(sequences)[0], list(PIECES)[1]
    last, outputs, *new = tf.cond(
        rows < FEWEST_ROWS,
        plain,
        lambda: tf.cond(rows < least, lambda: compiled(PIECES[0]), lambda: compiled(PIECES[least])),
    )
    layer._set_static_shapes(sequences, last, outputs, new)
    return last, outputs, new


def _compiled(layer: Any, sequences: Any, states: list, mask: Any, pieces: int) -> list:
    rows = tf.shape(sequences)[0]
    more = round_length(rows) - rows

    def padded(tensor: Any) -> Any:
        whole = tf.pad(tensor, [[0, more]] + [[0, 0]] * (tensor.shape.rank - 1))
        return tf.ensure_shape(whole, [None, *tensor.shape[1:]])

    sequences = layer.cell.prepare(padded(sequences), False)
    if mask is not None:
        mask = padded(tf.reshape(tf.cast(mask, "bool"), tf.shape(mask)[:2]))
    states = [padded(tf.cast(state, layer.cell.compute_dtype)) for state in states]
    scan = scan_of(layer.cell, pieces=pieces)
    last, outputs, states = layer._fast(sequences, states, mask, None, False, scan)
    return [item[:rows] for item in (last, outputs, *states)]
