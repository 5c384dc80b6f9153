"""The compiled loops in exported graphs: fast where TensorFlow has XLA, correct without it.

A function that is marked for compilation contains only standard TensorFlow operations, so a program
without XLA ignores the mark and runs it unchanged.
"""

from typing import Any

import tensorflow as tf

from seqzoo.cells.engine.dispatch import keeps_contract
from seqzoo.cells.engine.lengths import round_length
from seqzoo.cells.engine.portability import portable
from seqzoo.cells.engine.runners import run_by
from seqzoo.cells.engine.scan import scan_of

MIN_ROWS = 32
"""Minimum number of rows for the compiled loops; with fewer, compilation does not pay off."""

PIECES = {0: 2, 128: 4}
"""Number of pieces into which a batch is split, by the batch's minimum number of rows; the number
of cores is unknown when a model is exported."""


def run_compiled(layer: Any, sequences: Any, states: list, mask: Any) -> tuple[Any, Any, list]:
    """Runs batches of at least `MIN_ROWS` rows in compiled loops, smaller ones in the plain loop.

    A `Runner`; see `seqzoo.cells.engine.runners` for the arguments and results. XLA compiles a
    program for each shape, so rows and steps are padded to one of a few sizes.
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

    rows, threshold = tf.shape(sequences)[0], list(PIECES)[1]
    last, outputs, *new = tf.cond(
        rows < MIN_ROWS,
        plain,
        lambda: tf.cond(
            rows < threshold, lambda: compiled(PIECES[0]), lambda: compiled(PIECES[threshold])
        ),
    )
    layer._set_static_shapes(sequences, last, outputs, new)
    return last, outputs, new


def _compiled(layer: Any, sequences: Any, states: list, mask: Any, pieces: int) -> list:
    rows = tf.shape(sequences)[0]
    missing = round_length(rows) - rows

    def pad(tensor: Any) -> Any:
        padded = tf.pad(tensor, [[0, missing]] + [[0, 0]] * (tensor.shape.rank - 1))
        return tf.ensure_shape(padded, [None, *tensor.shape[1:]])

    sequences = layer.cell.prepare(pad(sequences), False)
    if mask is not None:
        mask = pad(tf.reshape(tf.cast(mask, "bool"), tf.shape(mask)[:2]))
    states = [pad(tf.cast(state, layer.cell.compute_dtype)) for state in states]
    scan = scan_of(layer.cell, pieces=pieces)
    last, outputs, states = layer._fast(sequences, states, mask, None, False, scan)
    return [item[:rows] for item in (last, outputs, *states)]
