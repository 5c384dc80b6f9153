"""The first number that is not finite is found in cells where it is known."""

import numpy as np
import pytest
import tensorflow as tf

from seqzoo.cells import GRUCell, Recurrent, VanillaCell
from seqzoo.tasks.inspection.origin import Origin, find_origin


def _layer(scale: float, backwards: bool = False) -> Recurrent:
    cell = VanillaCell(2, activation="linear", use_bias=False)
    layer = Recurrent(cell, return_sequences=True, go_backwards=backwards, name="own")
    layer.build((None, None, 2))
    layer.set_weights([np.eye(2, dtype="float32"), scale * np.eye(2, dtype="float32")])
    return layer


@pytest.mark.parametrize("backwards", [False, True])
def test_a_state_that_overflows(backwards: bool) -> None:
    # Row 1 is 1e10 ** t after step t: beyond float32, 3.4e38, at step 4.
    layer, x = _layer(1e10, backwards), np.zeros((2, 7, 2), "float32")
    x[1, 6 if backwards else 0] = 1.0
    result = find_origin(layer, lambda: layer(x))
    assert result is not None and result.row == 1
    # The candidate is made of the state before, by the cell's one gate or none at all.
    assert result.step == (2 if backwards else 4)
    assert "at time step" in result.sentence()


def test_inputs_weights_gradients_and_the_loss() -> None:
    layer, x = _layer(0.5), np.ones((1, 5, 2), "float32")

    def run(values, loss=None):
        return find_origin(layer, lambda: layer(values), loss)

    assert run(x, tf.reduce_sum) is None
    bad = x.copy()
    bad[0, 3, 1] = np.nan
    result = run(bad)
    assert result is not None and result == Origin("input", result.layer, 3, 0)
    assert run(x, lambda item: tf.reduce_sum(item) + np.inf) == Origin("loss")
    # d sqrt(u) / du is infinite at u = 0.
    result = run(x, lambda item: tf.reduce_sum(tf.sqrt(item[:, 2] - item[:, 2])))
    assert result is not None and (result.part, result.step) == ("gradient", 2)
    layer.set_weights([np.full((2, 2), np.inf, "float32"), np.eye(2, dtype="float32")])
    result = run(x)
    assert result is not None and result.part == "weights" and "kernel" in result.layer


def test_the_gate_is_named() -> None:
    layer = Recurrent(GRUCell(3, recurrent_activation="linear"), return_sequences=True)
    layer.build((None, None, 2))
    kernel, *rest = layer.get_weights()
    names = list(layer.cell.gates)
    kernel[:] = 0
    kernel[:, 3 * names.index("reset") : 3 * names.index("reset") + 3] = 3e38
    layer.set_weights([kernel, *rest])
    x = np.zeros((1, 6, 2), "float32")
    x[0, 4] = 1.0
    result = find_origin(layer, lambda: layer(x))
    assert result is not None and (result.step, result.row) == (4, 0)
