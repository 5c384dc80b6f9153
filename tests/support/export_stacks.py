"""Stacks of layers of any cell, as a part that the tests of exports write in other formats."""

from typing import Any

import numpy as np
import tensorflow as tf

import seqzoo.cells
from seqzoo.cells import CELLS, Bidirectional, Recurrent, create
from seqzoo.tasks.export.parts import Part

FEATURES, UNITS = 4, 6
LENGTHS = np.array([7, 3, 1, 0], np.int32)


def stack(name: str, bidirectional: bool, **options: Any) -> Any:
    """Three layers with random weights: values and lengths -> all outputs, and the last ones."""
    layers = [
        Recurrent(create(name, UNITS, **options), return_sequences=True, zero_output_for_mask=True)
        for _ in range(2)
    ]
    if bidirectional:
        layers = [Bidirectional(layer) for layer in layers]
    last = Recurrent(create(name, UNITS, **options), go_backwards=True)

    def run(values: Any, lengths: Any) -> dict[str, Any]:
        mask = tf.sequence_mask(lengths, tf.shape(values)[1])
        elapsed = tf.abs(values[:, :, 0])

        def taken(values: Any) -> Any:
            return (values, elapsed) if CELLS[name].takes_time else values

        for layer in layers:
            values = layer(taken(values), mask=mask)
        steps = tf.where(mask[..., None], values, 0.0)
        return {"steps": steps, "last": last(taken(values), mask=mask)}

    with seqzoo.cells.portable():
        run(tf.zeros([1, 2, FEATURES]), tf.constant([2]))
    random = np.random.default_rng(0)
    for layer in (*layers, last):
        for weight in layer.trainable_weights:
            weight.assign(weight + random.normal(0, 0.2, weight.shape))
    specs = (
        tf.TensorSpec([None, None, FEATURES], tf.float32, "values"),
        tf.TensorSpec([None], tf.int32, "lengths"),
    )
    return Part(run, specs)
