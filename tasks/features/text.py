"""Text: characters or words to ids, in the graph."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.examples import Examples
from seqzoo.tasks.features.base import Features
from seqzoo.tasks.vocabulary import PADDING, Vocabulary


def split_characters(text: Any) -> Any:
    """Strings (batch,) -> their Unicode characters, ragged (batch, characters)."""
    return tf.strings.unicode_split(text, "UTF-8")


def split_words(text: Any) -> Any:
    """Strings (batch,) -> words, ragged (batch, words).

    A word is a run of letters, marks, digits and inner apostrophes; every other sign that is no
    space is a word of its own.
    """
    text = tf.strings.regex_replace(text, r"([^\pL\pM\pN\s'’])", r" \1 ")
    text = tf.strings.regex_replace(text, r"(^|[\s\pZ])(['’]+)", r"\1\2 ")
    text = tf.strings.regex_replace(text, r"(['’]+)($|[\s\pZ])", r" \1\2")
    # `split` knows the spaces of ASCII alone.
    return tf.strings.split(tf.strings.regex_replace(text, r"\pZ", " "))


def encoded(texts: Any, places: Sequence[str]) -> np.ndarray:
    """Texts as an array of UTF-8 bytes.

    Raises:
        SeqzooError: one is no text; the message names its place.
    """
    found = []
    for text, place in zip(texts, places, strict=True):
        if not isinstance(text, str):
            raise SeqzooError(f"Text was expected, but {place} is {type(text).__name__}.")
        try:
            found.append(text.encode("utf-8"))
        except UnicodeEncodeError as error:
            raise SeqzooError(
                f"{place} is not Unicode text ({error.reason} at character {error.start}); "
                "leave it out or mend it."
            ) from error
    return np.array(found, object)


class TextFeatures(Features):
    """Characters or words as ids.

    Args:
        task: a template with `input`, `lowercase` and `maximum_length`.
        vocabulary: learnt from the training examples.
    """

    def __init__(self, task: Any, vocabulary: Vocabulary):
        self.task = task
        self.vocabulary = vocabulary

    @classmethod
    def learn(cls, task: Any, examples: Examples) -> "TextFeatures":
        features, counts = cls(task, Vocabulary([])), Counter()
        for start in range(0, len(examples), cls.chunk):
            part = range(start, min(start + cls.chunk, len(examples)))
            places = [examples.place(index) for index in part]
            raw = features.raw(examples.inputs[part.start : part.stop], places)
            counts.update(features.split(*raw).flat_values.numpy().tolist())
        features.vocabulary = Vocabulary.learn(counts, task.vocabulary_size, task.minimum_count)
        return features

    def raw(self, inputs: Any, places: Sequence[str]) -> tuple:
        return (encoded(inputs, places),)

    def split(self, text: Any) -> Any:
        """Strings (batch,) -> tokens, ragged (batch, time)."""
        if self.task.lowercase:
            text = tf.strings.lower(text, encoding="utf-8")
        split = split_words if self.task.input == "words" else split_characters
        return split(text)[:, : self.task.maximum_length]

    def transform(self, *raw: Any) -> tuple[Any, Any]:
        tokens = self.split(*raw)
        ids = tf.ragged.map_flat_values(self.vocabulary.ids, tokens)
        return ids.to_tensor(PADDING), tf.cast(tokens.row_lengths(), tf.int32)

    @property
    def signature(self) -> list:
        return [tf.TensorSpec((None,), tf.string, "text")]

    @property
    def step(self) -> tuple[tuple[int, ...], str]:
        return (), "int32"

    def to_config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, task: Any, config: dict, vocabularies: dict) -> "TextFeatures":
        return cls(task, vocabularies["vocabulary"])
