"""Layers of frames: against Keras' layer, in both directions, saved, and mistakes."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from cell_cases import BATCH, FEATURES, FRAME, FRAMES, MASKS, TIME, UNITS, error

from seqzoo.cells import Bidirectional, ConvGRUCell, ConvLSTMCell, Recurrent

FRAMES32 = FRAMES.astype("float32")


def test_conv_lstm_without_peepholes_is_that_of_keras():
    theirs = keras.layers.ConvLSTM2D(
        UNITS, 3, padding="same", return_sequences=True, recurrent_activation="sigmoid"
    )
    ours = Recurrent(ConvLSTMCell(UNITS, peepholes=False), return_sequences=True)
    expected = theirs(FRAMES32)
    ours.build(FRAMES.shape)
    ours.set_weights(theirs.get_weights())
    assert error(ours(FRAMES32), expected) < 1e-5
    assert ours(FRAMES32).shape == (BATCH, TIME, *FRAME, UNITS)


def test_a_stack_in_both_directions_is_saved_and_traced(tmp_path):
    inputs = keras.Input((None, *FRAME, FEATURES))
    mask = keras.Input((None,), dtype="bool")
    layer = Bidirectional(ConvGRUCell(UNITS, dropout=0.1), return_sequences=True)
    maps = layer(inputs, mask=mask)
    output, *states = Recurrent(ConvLSTMCell(2, kernel_size=1), return_state=True)(maps, mask=mask)
    assert output.shape == (None, *FRAME, 2)
    assert [state.shape for state in states] == [(None, *FRAME, 2)] * 2
    model = keras.Model([inputs, mask], [output, *states])
    expected = model([FRAMES32, MASKS["right"]])
    assert error(model([FRAMES32[:1, :4], MASKS["full"][:1, :4]])[0], expected[0][:1]) < 1e-5
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert error(again([FRAMES32, MASKS["right"]])[0], expected[0]) < 1e-6
    traced = tf.function(lambda x, m: model([x, m])[1], autograph=False)
    assert error(traced(FRAMES32, MASKS["right"]), expected[1]) < 1e-6


@pytest.mark.parametrize("size", [2, 0, [3, 3, 3], [3, 4]])
def test_kernels_are_of_odd_sizes(size):
    with pytest.raises(ValueError, match="`kernel_size` must be one or two odd numbers"):
        ConvLSTMCell(UNITS, kernel_size=size)


def test_frames_have_a_known_size():
    with pytest.raises(ValueError, match="ConvGRUCell needs frames of a known height and width"):
        Recurrent(ConvGRUCell(UNITS)).build((None, None, None, 6, FEATURES))
    with pytest.raises(ValueError, match="expected ndim=5, found ndim=3"):
        Recurrent(ConvGRUCell(UNITS))(np.zeros((2, 3, 4), "float32"))


class Doubled(ConvGRUCell):
    """Overrides `advance`, so the inherited `joint_step` does not apply."""

    def advance(self, x, states, recurrent_mask=None):
        return super().advance(2 * x, states, recurrent_mask)


class Shifted(ConvGRUCell):
    """Overrides `project`, which the inherited `joint_step` does not call."""

    def project(self, inputs):
        return super().project(inputs) + 1


@pytest.mark.parametrize(
    "kind, options",
    [
        (ConvLSTMCell, {"use_bias": False}),
        (ConvGRUCell, {"use_bias": False}),
        (ConvGRUCell, {"kernel_size": (1, 3), "bias_initializer": "ones"}),
        (ConvGRUCell, {"recurrent_activation": "softmax"}),
        (Doubled, {}),
        (Shifted, {}),
    ],
)
def test_joint_convolutions_equal_separate_ones(kind, options):
    cell = kind(UNITS, **options)
    ours = Recurrent(cell, return_sequences=True)
    assert cell.joins_products == (kind not in (Doubled, Shifted))
    expected = keras.layers.RNN(cell, return_sequences=True)(FRAMES32)
    assert error(ours(FRAMES32), expected) < 1e-6
