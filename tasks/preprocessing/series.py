"""Series of numbers, standardised by the training examples."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.preprocessing.base import Features, empty, finite, moments, with_a_step


class SeriesFeatures(Features):
    """One or several numbers per step.

    Args:
        template: a template with `maximum_length`.
        mean: of each feature, in training.
        scale: standard deviation of each feature, in training.
    """

    chunk = 256

    def __init__(self, template: Any, mean: list, scale: list):
        self.template = template
        self.mean = mean
        self.scale = scale

    @classmethod
    def learn(cls, template: Any, examples: Examples) -> "SeriesFeatures":
        width = _two_axes(examples.inputs[0], examples.place(0)).shape[1]
        features = cls(template, [0.0] * width, [1.0] * width)
        places = examples.places
        features.mean, features.scale = moments(
            np.concatenate(features.check(examples.inputs, places))
        )
        return features

    def check(self, inputs: Any, places: Sequence[str]) -> list[np.ndarray]:
        """Arrays of shape (time, features), float32, each fit to be learnt from."""
        series = []
        for one, place in zip(inputs, places, strict=True):
            one = finite(_two_axes(one, place), place)
            if one.shape[1] != len(self.mean):
                raise SeqzooError(
                    f"Each step must have {len(self.mean)} numbers, as the first training example "
                    f"has, but {place} has {one.shape[1]}.",
                    location=place,
                )
            series.append(one)
        return series

    def raw(self, inputs: Any, places: Sequence[str]) -> tuple:
        return pad(self.check(inputs, places))

    def transform(self, *raw: Any) -> tuple[Any, Any]:
        values, lengths = raw
        limit = self.template.maximum_length
        if limit is not None:
            values, lengths = values[:, :limit], tf.minimum(lengths, limit)
        values = (values - tf.constant(self.mean)) / tf.constant(self.scale)
        return with_a_step(values, 0.0), lengths

    @property
    def signature(self) -> list:
        return [
            tf.TensorSpec((None, None, len(self.mean)), tf.float32, "values"),
            tf.TensorSpec((None,), tf.int32, "lengths"),
        ]

    @property
    def step(self) -> tuple[tuple[int, ...], str]:
        return (len(self.mean),), "float32"

    def to_config(self) -> dict[str, Any]:
        return {"mean": self.mean, "scale": self.scale}

    @classmethod
    def from_config(cls, template: Any, config: dict, vocabularies: dict) -> "SeriesFeatures":
        return cls(template, **config)


def pad(arrays: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Arrays of shape (time, ...) -> one of shape (n, longest, ...), and their lengths, int32."""
    lengths = np.array([len(array) for array in arrays], np.int32)
    padded = np.zeros((len(arrays), lengths.max(), *arrays[0].shape[1:]), np.float32)
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array
    return padded, lengths


def _two_axes(one: Any, place: str) -> np.ndarray:
    try:
        array = np.asarray(one, np.float32)
    except (TypeError, ValueError) as error:
        raise SeqzooError(
            f"Numbers were expected, but {place} does not consist of numbers.",
            location=place,
        ) from error
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise SeqzooError(
            f"A series must have shape (time,) or (time, features), but {place} has {array.shape}.",
            location=place,
        )
    if not len(array):
        raise empty(place)
    return array
