"""The gradient flow of cells side by side, against products of Jacobians."""

import numpy as np
import pytest
import tensorflow as tf

from seqzoo.cells import Recurrent, create
from seqzoo.tasks import SeqzooError
from seqzoo.tasks.inspection.cell_flow import cell_flows
from seqzoo.tasks.inspection.figures import cell_flow_figure


def test_shares_are_those_of_a_tape() -> None:
    cells = {"vanilla": {"units": 6}, "lstm": {"units": 5}}
    flows = cell_flows(cells, distances=(2, 9), seed=3)
    assert [flow.cell for flow in flows] == ["vanilla", "lstm"]
    assert all(len(flow.norms) == 10 and list(flow.shares) == [2, 9] for flow in flows)
    for flow in flows:
        assert flow.shares[9] == flow.norms[9] / flow.norms[0]
    # The gradient by the initial state, which a tape computes without a trace: 9 steps back.
    random = np.random.default_rng(3)
    x = tf.constant(random.normal(size=(1, 9, 8)), tf.float32)
    direction = tf.constant(random.normal(size=6) / np.sqrt(6), tf.float32)
    import keras

    keras.utils.set_random_seed(3)
    layer = Recurrent(create("vanilla", 6), return_sequences=True)
    layer(x)
    start = tf.zeros([1, 6])
    with tf.GradientTape() as tape:
        tape.watch(start)
        loss = tf.reduce_sum(layer(x, initial_state=[start], training=True)[:, -1] * direction)
    norm = float(tf.norm(tape.gradient(loss, start)))
    assert flows[0].norms[9] == pytest.approx(norm, rel=1e-4)
    assert flows[0].norms[0] == pytest.approx(float(tf.norm(direction)), rel=1e-5)


def test_a_cell_with_a_window_passes_back_exactly_nothing_beyond_it() -> None:
    (flow,) = cell_flows(["feed-forward"], distances=(2, 9))
    left = np.flatnonzero(flow.norms)[-1]
    assert flow.decay.zero_from == left + 1 < 9 and flow.decay.verdict == "vanishing"


def test_known_cells() -> None:
    # Identity weights and no change by the inputs of rectified units: nothing is lost.
    flows = cell_flows(["irnn", "vanilla"], distances=(5, 40))
    assert flows[1].shares[40] < flows[1].shares[5] < 1
    assert flows[1].decay.verdict == "vanishing" and flows[0].shares[40] > flows[1].shares[40]
    (alone,) = cell_flows(["vanilla"], distances=(5, 40))
    np.testing.assert_array_equal(alone.norms, flows[1].norms)
    figure = cell_flow_figure(flows)
    first, second, _ = figure.axes[0].lines
    assert list(np.asarray(second.get_ydata())) == list(flows[1].norms[1:] / flows[1].norms[0])
    with pytest.raises(SeqzooError, match="conv-lstm"):
        cell_flows({"conv-lstm": {"units": 2}})
