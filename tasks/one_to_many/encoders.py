"""Encoders for an image, a vector or a class."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from seqzoo.tasks.layers.network_part import NetworkPart
from seqzoo.tasks.layers.random_views import RandomView
from seqzoo.tasks.layers.recurrent import TokenEmbedding
from seqzoo.tasks.one_to_many.convolutions import ApplicationGrid, ConvolutionalGrid


@keras.saving.register_keras_serializable(package="seqzoo")
class ImageEncoder(NetworkPart):
    """Encodes an image as a feature map, whose positions are the steps of the memory, row by row.

    Args:
        grid: the layer that computes the feature map.
        summaries: number of layers of the decoder, each of which gets the summary.
        pooling: how the feature map becomes the summary: "mean" or "flatten".
        view: the options of `RandomView` in training: "shift", "zoom" and "shear".
        dropout: dropout rate on the features.
        **kwargs: passed to `keras.layers.Layer`.
    """

    def __init__(
        self,
        grid: ConvolutionalGrid | ApplicationGrid,
        summaries: int = 1,
        pooling: str = "mean",
        view: dict[str, float] | None = None,
        dropout: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.grid = grid
        self.summaries = summaries
        self.pooling = pooling
        self.rate = dropout
        self.view = RandomView(**(view or {}), dtype="float32")
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy)
        self.grid_shape: Sequence[int] = ()
        """Number of rows and columns of the feature map, once it is built."""

    def call(self, values: Any, lengths: Any, training: bool = False) -> tuple[Any, Any, list]:
        """Images (batch, 1, height, width[, channels]) -> memory, mask, and a summary per layer.

        Steps after the first one are padding. A row of length 0 is a filler row without an image.
        """
        images = values[:, 0]
        images = images[..., None] if len(images.shape) == 3 else images
        valid = indices = None
        if training:
            # The batch statistics must exclude filler rows.
            rows, indices = _existing_rows(lengths)
            images, valid = tf.gather(images, rows), tf.gather(lengths > 0, rows)
        grid = self.grid(self.view(images, training=training), valid, training=training)
        if training:
            grid = tf.gather(grid, indices)
        self.grid_shape = tuple(grid.shape[1:3])
        size = grid.shape[-1]
        memory = tf.reshape(grid, [-1, self.grid_shape[0] * self.grid_shape[1], size])
        memory = tf.cast(self.dropout(memory, training=training), self.compute_dtype)
        if self.pooling == "mean":
            summary = tf.reduce_mean(memory, 1)
        else:
            summary = tf.reshape(memory, [-1, memory.shape[1] * size])
        return memory, tf.ones(tf.shape(memory)[:2], tf.bool), [summary] * self.summaries

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "grid": keras.saving.serialize_keras_object(self.grid),
            "summaries": self.summaries,
            "pooling": self.pooling,
            "view": self.view.fractions,
            "dropout": self.rate,
        }

    @classmethod
    def from_config(cls, config: dict) -> "ImageEncoder":
        return cls(**{**config, "grid": keras.saving.deserialize_keras_object(config["grid"])})


def _existing_rows(lengths: Any) -> tuple[Any, Any]:
    """The rows with a length above 0, or the first row if there are none; and for each row its
    index among these, where rows of length 0 get the index of an existing row."""
    exists = tf.cast(lengths > 0, tf.int32)
    existing = tf.where(exists > 0)[:, 0]
    rows = tf.cond(tf.size(existing) > 0, lambda: existing, lambda: tf.zeros([1], tf.int64))
    return rows, tf.maximum(tf.cumsum(exists) - 1, 0)


@keras.saving.register_keras_serializable(package="seqzoo")
class VectorEncoder(NetworkPart):
    """Encodes a vector or the id of a class as a memory of one step, which is also the summary.

    Args:
        vocabulary_size: number of ids, or None for vectors.
        units: number of units of the memory.
        summaries: number of layers of the decoder, each of which gets the summary.
        dropout: dropout rate on the features.
        **kwargs: passed to `keras.layers.Layer`.
    """

    def __init__(
        self,
        vocabulary_size: int | None,
        units: int,
        summaries: int = 1,
        dropout: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.choices = {
            "vocabulary_size": vocabulary_size,
            "units": units,
            "summaries": summaries,
            "dropout": dropout,
        }
        policy = self.dtype_policy
        self.dropout = keras.layers.Dropout(dropout, dtype=policy)
        if vocabulary_size is None:
            self.first = keras.layers.Dense(units, activation="tanh", dtype=policy)
        else:
            self.first = TokenEmbedding(vocabulary_size, units, dtype=policy)

    def call(self, values: Any, lengths: Any, training: bool = False) -> tuple[Any, Any, list]:
        """(batch, 1[, features]) -> memory (batch, 1, units), mask, and a summary per layer. Steps
        after the first one are padding.
        """
        memory = self.dropout(self.first(values[:, :1]), training=training)
        mask = tf.ones(tf.shape(memory)[:2], tf.bool)
        return memory, mask, [memory[:, 0]] * self.choices["summaries"]

    def get_config(self) -> dict:
        return {**super().get_config(), **self.choices}
