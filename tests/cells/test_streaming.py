"""Chunks of any size, with states passed on, give the outputs of the whole sequence."""

import numpy as np
import pytest
import tensorflow as tf

import seqzoo.cells
from seqzoo.cells import CELLS, Recurrent, create

FEATURES, UNITS, TIME = 4, 5, 7


@pytest.mark.parametrize("name", CELLS)
def test_chunks_of_random_sizes_equal_the_whole(name: str) -> None:
    random = np.random.default_rng(sum(map(ord, name)))
    layer = Recurrent(create(name, UNITS), return_sequences=True, return_state=True)
    frame = (3, 2) if layer.cell.input_rank > 2 else ()
    values = tf.constant(random.normal(size=(2, TIME, *frame, FEATURES)), tf.float32)
    elapsed = tf.constant(random.uniform(0.1, 2.0, (2, TIME)), tf.float32)

    def run(start: int, stop: int, states: list | None) -> tuple:
        part = values[:, start:stop]
        given = (part, elapsed[:, start:stop]) if layer.cell.takes_time else part
        outputs, *states = layer(given, initial_state=states)
        return outputs, states

    # Sizes that cannot add up to the whole by accident: a single step is among them.
    cuts = sorted({0, 1, TIME, *random.integers(2, TIME, 2).tolist()})
    with seqzoo.cells.portable():
        run(0, 1, None)
        for weight in layer.trainable_weights:
            weight.assign(weight + random.normal(0, 0.2, weight.shape))
        whole, last = run(0, TIME, None)
        states, outputs = None, []
        for start, stop in zip(cuts, cuts[1:], strict=False):
            part_outputs, states = run(start, stop, states)
            outputs.append(part_outputs)
    np.testing.assert_allclose(tf.concat(outputs, 1), whole, rtol=1e-4, atol=1e-5)
    assert states is not None
    for part_outputs, expected in zip(states, last, strict=True):
        np.testing.assert_allclose(part_outputs, expected, rtol=1e-4, atol=1e-5)
