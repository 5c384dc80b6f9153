"""Class names as inputs."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.errors import SeqzooError, nearest
from seqzoo.tasks.preprocessing.base import Features
from seqzoo.tasks.preprocessing.text import encoded
from seqzoo.tasks.preprocessing.vocabulary import SPECIAL, Vocabulary


class NameFeatures(Features):
    """The id of a class, as a sequence of one step: (batch, 1), int32.

    Args:
        template: a template.
        vocabulary: the names of all classes.
    """

    in_time = False

    def __init__(self, template: Any, vocabulary: Vocabulary):
        self.template = template
        self.vocabulary = vocabulary

    @classmethod
    def learn(cls, template: Any, examples: Examples) -> "NameFeatures":
        locations = examples.locations
        counts = Counter(encoded(examples.inputs, locations).tolist())
        return cls(template, Vocabulary.learn(counts, len(counts) + SPECIAL, 1))

    def raw(self, inputs: Any, locations: Sequence[str]) -> tuple:
        classes = set(self.vocabulary.tokens)
        for name, location in zip(inputs, locations, strict=True):
            if isinstance(name, str) and name not in classes:
                raise SeqzooError(
                    f"A class from the training examples was expected, but {location} is {name!r}"
                    f"{nearest(name, classes)}",
                    location=location,
                )
        return (encoded(inputs, locations),)

    def transform(self, *raw: Any) -> tuple[Any, Any]:
        (names,) = raw
        ids = self.vocabulary.ids(names)
        assertion = tf.debugging.Assert(
            tf.reduce_all(ids >= SPECIAL), ["a class that does not occur in training:", names]
        )
        with tf.control_dependencies([] if assertion is None else [assertion]):
            return tf.identity(ids)[:, None], tf.ones(tf.shape(ids), tf.int32)

    @property
    def signature(self) -> list:
        return [tf.TensorSpec((None,), tf.string, "classes")]

    @property
    def step(self) -> tuple[tuple[int, ...], str]:
        return (), "int32"

    def to_config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, template: Any, config: dict, vocabularies: dict) -> "NameFeatures":
        return cls(template, vocabularies["vocabulary"])
