"""The inputs of the output layer of a functional model."""

from typing import Any

import keras
import tensorflow as tf

from seqzoo.tasks.protocols import Readout


def inputs_of_layer(layer: keras.layers.Layer, model: keras.Model, batch: dict[str, Any]) -> Any:
    """Computes the input of a layer of a functional model, for a batch.

    Args:
        layer: the layer.
        model: the model that it belongs to.
        batch: contains the model's inputs, by name.
    """
    inner = keras.Model(model.input, layer.input)
    return inner({name: batch[name] for name in model.input})


def steps_of(features: Any, targets: Any, lengths: Any, washout: int) -> Readout:
    """The steps of (batch, time, ...) as separate predictions.

    Args:
        features: shape (batch, time, features).
        targets: shape (batch, time, outputs).
        lengths: number of steps of each row, (batch,).
        washout: number of steps to leave out at the beginning of each sequence.
    """
    steps = tf.range(tf.shape(features)[1])
    inside = (steps >= washout) & (steps < lengths[:, None])

    def flat(values: Any) -> Any:
        return tf.reshape(values, [-1, values.shape[-1]])

    return Readout(flat(features), flat(targets), tf.reshape(inside, [-1]))
