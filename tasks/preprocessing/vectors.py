"""Vectors of numbers, standardised with the statistics of the training examples."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.preprocessing.base import Features, finite, moments


class VectorFeatures(Features):
    """A vector as a sequence of one step: (batch, 1, features), float32.

    Args:
        template: a template.
        mean: mean of each feature in the training data.
        scale: standard deviation of each feature in the training data.
    """

    in_time = False

    def __init__(self, template: Any, mean: list, scale: list):
        self.template = template
        self.mean = mean
        self.scale = scale

    @classmethod
    def learn(cls, template: Any, examples: Examples) -> "VectorFeatures":
        width = _one_axis(examples.inputs[0], examples.location(0)).size
        locations = examples.locations
        (vectors,) = cls(template, [0.0] * width, [1.0] * width).raw(examples.inputs, locations)
        return cls(template, *moments(vectors))

    def raw(self, inputs: Any, locations: Sequence[str]) -> tuple:
        vectors = []
        for item, location in zip(inputs, locations, strict=True):
            vector = finite(_one_axis(item, location), location)
            if vector.size != len(self.mean):
                raise SeqzooError(
                    f"The number of values in a vector must be {len(self.mean)}, as in the first "
                    f"training example, but {location} has {vector.size}.",
                    location=location,
                )
            vectors.append(vector)
        return (np.stack(vectors),)

    def transform(self, *raw: Any) -> tuple[Any, Any]:
        (vectors,) = raw
        vectors = (vectors - tf.constant(self.mean)) / tf.constant(self.scale)
        return vectors[:, None], tf.ones(tf.shape(vectors)[:1], tf.int32)

    @property
    def signature(self) -> list:
        return [tf.TensorSpec((None, len(self.mean)), tf.float32, "vectors")]

    @property
    def step(self) -> tuple[tuple[int, ...], str]:
        return (len(self.mean),), "float32"

    def to_config(self) -> dict[str, Any]:
        return {"mean": self.mean, "scale": self.scale}

    @classmethod
    def from_config(cls, template: Any, config: dict, vocabularies: dict) -> "VectorFeatures":
        return cls(template, **config)


def _one_axis(value: Any, location: str) -> np.ndarray:
    try:
        vector = np.asarray(value, np.float32)
    except (TypeError, ValueError) as error:
        raise SeqzooError(
            f"Numbers were expected, but {location} does not consist of numbers.",
            location=location,
        ) from error
    if vector.ndim > 1 or not vector.size:
        raise SeqzooError(
            f"A vector must have shape (features,), but {location} has shape {vector.shape}.",
            location=location,
        )
    return vector.reshape(-1)
