"""A linear model whose forecasts are averaged with those of a network (Bates and Granger 1969)."""

from typing import Any

import keras
import tensorflow as tf


class LinearPart(keras.layers.Layer):
    """From a normalised window to its horizon, with weights shared by all targets and series, and
    the share of this forecast in the average.

    The weights are fitted in closed form after the network was trained, and the share is chosen on
    validation examples; until then, it is 0.

    Args:
        look_back: length of the look-back window, in steps.
        horizon: number of steps to forecast.
        **kwargs: passed to `keras.layers.Layer`.
    """

    def __init__(self, look_back: int, horizon: int, **kwargs: Any):
        super().__init__(trainable=False, dtype="float32", **kwargs)
        self.look_back, self.horizon = look_back, horizon

    def build(self, *_: Any) -> None:
        shapes = {"kernel": (self.look_back, self.horizon), "bias": (self.horizon,), "share": ()}
        self.kernel, self.bias, self.share = (
            self.add_weight(shape=shape, initializer="zeros", name=name)
            for name, shape in shapes.items()
        )
        self.built = True

    def call(self, normal: Any) -> Any:
        """Forecasts from normalised values (batch, look-back, targets): (batch, horizon,
        targets)."""
        return tf.einsum("blt,lh->bht", normal, self.kernel) + self.bias[:, None]

    def averaged(self, outputs: Any, normal: Any, center: int, locations: int) -> Any:
        """A network's outputs after its point forecast is averaged with the linear forecast; all
        quantiles move by as much as the point forecast.

        Args:
            outputs: (batch, horizon, targets, outputs).
            normal: the normalised values of the look-back window, (batch, look-back, targets).
            center: index of the output that is the point forecast.
            locations: number of outputs, the first ones, that are values and not scales.
        """
        forecast = self(normal)  # which creates the weights
        move = self.share * (forecast - outputs[..., center])
        return outputs + tf.pad(
            tf.repeat(move[..., None], locations, -1),
            [[0, 0], [0, 0], [0, 0], [0, outputs.shape[-1] - locations]],
        )


def filled(values: Any, observed: Any, steps: int) -> Any:
    """Values (batch, time, targets) with each missing one replaced by the last observed one before
    it or, before the first observed one, by that one.

    Args:
        values: (batch, time, targets).
        observed: 1 where a value was observed, 0 where it is missing, like `values`.
        steps: number of time steps.
    """
    is_known, shift = observed > 0, 1
    first = tf.argmax(observed, 1)  # (batch, targets); 0 if none is observed
    first = tf.gather(tf.transpose(values, [0, 2, 1]), first, batch_dims=2)[:, None]
    while shift < steps:  # twice as many steps each time
        padding = [[0, 0], [shift, 0], [0, 0]]
        earlier, has_earlier = (tf.pad(item[:, :-shift], padding) for item in (values, is_known))
        values = tf.where(is_known, values, earlier)
        is_known, shift = is_known | has_earlier, 2 * shift
    return tf.where(is_known, values, first)
