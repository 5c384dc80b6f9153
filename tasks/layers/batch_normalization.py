"""Batch normalisation with statistics across all replicas."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops


@keras.saving.register_keras_serializable(package="seqzoo")
class BatchNormalization(keras.layers.Layer):
    """Normalises channels over a batch in training, and with moving statistics otherwise (Ioffe and
    Szegedy 2015).

        y = gamma (x - mean) / sqrt(variance + epsilon) + beta

    Differs from Keras' layer in that mean and variance are computed across all replicas, in two
    passes, and without filler rows.

    Args:
        momentum: momentum of the moving statistics.
        epsilon: added to the variance.
        **kwargs: passed to `keras.layers.Layer`.
    """

    def __init__(self, momentum: float = 0.9, epsilon: float = 1e-3, **kwargs: Any):
        super().__init__(**kwargs)
        self.momentum = momentum
        self.epsilon = epsilon

    def build(self, input_shape: tuple) -> None:
        """Creates the weights for (batch, height, width, channels)."""

        def weight(name: str, initializer: str, trainable: bool) -> Any:
            return self.add_weight(
                shape=input_shape[-1:],
                name=name,
                initializer=initializer,
                trainable=trainable,
                autocast=False,
                aggregation="mean",
            )

        self.gamma = weight("gamma", "ones", True)
        self.beta = weight("beta", "zeros", True)
        self.moving_mean = weight("moving_mean", "zeros", False)
        self.moving_variance = weight("moving_variance", "ones", False)
        self.built = True

    def call(self, values: Any, valid: Any = None, training: bool = False) -> Any:
        """Normalises (batch, height, width, channels).

        Args:
            values: values of any precision; statistics are at least float32.
            valid: whether each row is an example and not filler, (batch,) of bool; all by default.
            training: whether to use the statistics of the batch, unless the layer is frozen.
        """
        values = ops.cast(values, keras.backend.result_type(values.dtype, "float32"))
        mean, variance = (
            ops.cast(item, values.dtype) for item in (self.moving_mean, self.moving_variance)
        )
        if training and self.trainable:
            old = (mean, variance)
            mean, variance = _moments(values, valid)
            for moving, before, now in zip(
                (self.moving_mean, self.moving_variance), old, (mean, variance), strict=True
            ):
                moving.assign(before * self.momentum + now * (1 - self.momentum))
        scale = ops.rsqrt(variance + self.epsilon) * ops.cast(self.gamma, values.dtype)
        values = (values - mean) * scale + ops.cast(self.beta, values.dtype)
        return ops.cast(values, self.compute_dtype)

    def get_config(self) -> dict:
        options = {"momentum": self.momentum, "epsilon": self.epsilon}
        return {**super().get_config(), **options}


def _moments(values: Any, valid: Any) -> tuple[Any, Any]:
    """Mean and variance of each channel over the examples of all replicas."""
    if valid is None:
        valid = tf.ones(tf.shape(values)[:1], tf.bool)
    valid = valid[:, None, None, None]
    area = tf.cast(tf.shape(values)[1] * tf.shape(values)[2], values.dtype)
    count = _over_replicas(tf.reduce_sum(tf.cast(valid, values.dtype))) * area
    count = tf.maximum(count, 1.0)
    mean = _over_replicas(tf.reduce_sum(tf.where(valid, values, 0.0), [0, 1, 2])) / count
    squares = tf.where(valid, tf.square(values - mean), 0.0)
    return mean, _over_replicas(tf.reduce_sum(squares, [0, 1, 2])) / count


def _over_replicas(value: Any) -> Any:
    """The sum across all replicas."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return value
    return context.all_reduce(tf.distribute.ReduceOp.SUM, value)
