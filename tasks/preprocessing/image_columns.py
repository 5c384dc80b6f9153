"""Images of the same height and any width, read one column per step from left to right."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.preprocessing.base import Features, empty, finite, moments, with_a_step


class ColumnFeatures(Features):
    """Images, read from left to right; a step is a column with all its channels, or several
    adjacent columns. The last step is padded with zeros.

    Bytes stay bytes until the model scales them to the range from 0 to 1; other values are
    standardised.

    Args:
        template: a template with `maximum_length` and, if a step may have several columns,
            `columns_per_step`.
        shape: (height, None) or (height, None, channels).
        dtype: "uint8" or "float32".
        mean: the mean of values that are not bytes, a list with one entry.
        scale: their standard deviation.
    """

    chunk = 256

    def __init__(self, template: Any, shape: Sequence, dtype: str, mean: list, scale: list):
        self.template = template
        self.shape = tuple(shape)
        self.dtype = dtype
        self.mean = mean
        self.scale = scale
        self.columns = getattr(template, "columns_per_step", 1)

    @classmethod
    def learn(cls, template: Any, examples: Examples) -> "ColumnFeatures":
        images = [np.asarray(item) for item in examples.inputs]
        first = images[0]
        if first.ndim not in (2, 3) or first.dtype.kind not in "buif":
            raise SeqzooError(
                "Images must be numeric arrays of shape (height, width) or (height, width, "
                f"channels), but {examples.location(0)} is {first.dtype} of shape {first.shape}.",
                location=examples.location(0),
            )
        dtype = "uint8" if first.dtype == np.uint8 else "float32"
        features = cls(template, (first.shape[0], None, *first.shape[2:]), dtype, [0.0], [1.0])
        if dtype != "uint8":
            checked = [
                features.image(image, location)
                for image, location in zip(images, examples.locations, strict=True)
            ]
            flat = np.concatenate([item.reshape(-1, 1) for item in checked])
            features.mean, features.scale = moments(flat)
        return features

    def image(self, value: Any, location: str) -> np.ndarray:
        """Converts an image to an array of `shape` and `dtype`.

        Raises:
            SeqzooError: its height or number of channels differs from those in training, it is not
                bytes although the training images are, or it has no columns.
        """
        image = np.asarray(value)
        expected = tuple(
            size or width for size, width in zip(self.shape, image.shape, strict=False)
        )
        if image.ndim != len(self.shape) or image.shape != expected:
            raise SeqzooError(
                f"Images must have the height and the channels of those in training, "
                f"{_shown(self.shape)}, but {location} has {_shown(image.shape)}.",
                location=location,
            )
        if self.dtype == "uint8" and image.dtype != np.uint8:
            raise SeqzooError(
                f"Images must be bytes (uint8), as in training, but {location} is {image.dtype}.",
                location=location,
            )
        if not image.size:
            raise empty(location)
        image = image.astype(self.dtype, copy=False)
        return image if self.dtype == "uint8" else finite(image, location)

    def raw(self, inputs: Any, locations: Sequence[str]) -> tuple:
        images = [self.image(*pair) for pair in zip(inputs, locations, strict=True)]
        widths = np.array([image.shape[1] for image in images], np.int32)
        shape = (len(images), self.shape[0], widths.max(), *self.shape[2:])
        padded = np.zeros(shape, self.dtype)
        for row, image, width in zip(padded, images, widths, strict=True):
            row[:, :width] = image
        return padded, widths

    def steps_of(self, part: Any) -> np.ndarray:
        """Converts a part of an image, (height, columns) or (height, columns, channels), to
        steps."""
        rows = np.moveaxis(part, 1, 0)
        missing = -len(rows) % self.columns
        rows = np.pad(rows, [(0, missing)] + [(0, 0)] * (rows.ndim - 1))
        return rows.reshape(-1, *self.step[0])

    def transform(self, *raw: Any) -> tuple[Any, Any]:
        images, lengths = raw
        values = tf.transpose(images, [0, 2, 1, *range(3, len(self.shape) + 1)])
        rows, width = tf.shape(values)[0], tf.shape(values)[1]
        # Values after the end of an image are arbitrary and may be part of its last step.
        inside = tf.sequence_mask(lengths, width)
        inside = tf.reshape(inside, [rows, width, *[1] * (len(self.shape) - 1)])
        values = tf.where(inside, values, tf.zeros((), values.dtype))
        further = [[0, 0]] * (len(self.shape) - 1)
        values = tf.pad(values, [[0, 0], [0, -width % self.columns], *further])
        values = tf.reshape(values, [rows, -(-width // self.columns), *self.step[0]])
        lengths = -(-lengths // self.columns)
        if self.dtype != "uint8":
            values = (values - self.mean[0]) / self.scale[0]
        limit = self.template.maximum_length
        if limit is not None:
            values, lengths = values[:, :limit], tf.minimum(lengths, limit)
        return with_a_step(values, tf.zeros((), values.dtype)), lengths

    @property
    def signature(self) -> list:
        return [
            tf.TensorSpec((None, *self.shape), self.dtype, "images"),
            tf.TensorSpec((None,), tf.int32, "lengths"),
        ]

    @property
    def step(self) -> tuple[tuple[int, ...], str]:
        return (int(np.prod(self.frame)),), self.dtype

    @property
    def frame(self) -> tuple[int, int, int]:
        return self.columns, self.shape[0], int(np.prod(self.shape[2:]))

    def to_config(self) -> dict[str, Any]:
        return {
            "shape": list(self.shape),
            "dtype": self.dtype,
            "mean": self.mean,
            "scale": self.scale,
        }

    @classmethod
    def from_config(cls, template: Any, config: dict, vocabularies: dict) -> "ColumnFeatures":
        return cls(template, **config)


def _shown(shape: Sequence[int | None]) -> str:
    """A shape as text: "32 x any width"."""
    return " x ".join("any width" if size is None else str(size) for size in shape)
