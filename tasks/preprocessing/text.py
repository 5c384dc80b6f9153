"""Converts text to the ids of characters, words or subwords, with TensorFlow operations."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from seqzoo.tasks.data.batches import Sequences
from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.data.stored_columns import TextColumn
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.preprocessing.base import Features, with_a_step
from seqzoo.tasks.preprocessing.copied_tokens import copy_ids
from seqzoo.tasks.preprocessing.normalization import composed, lowercase
from seqzoo.tasks.preprocessing.subwords import collapse_spaces, learn_subwords, split_subwords
from seqzoo.tasks.preprocessing.vocabulary import PADDING, UNKNOWN, Vocabulary
from seqzoo.tasks.preprocessing.word_joiners import split_joined_words
from seqzoo.tasks.preprocessing.word_vectors import WordVectors, add_vectors


def split_characters(text: Any) -> Any:
    """Strings (batch,) -> their Unicode characters, ragged (batch, characters)."""
    return tf.strings.unicode_split(text, "UTF-8")


def split_words(text: Any) -> Any:
    """Strings (batch,) -> words, ragged (batch, words).

    A word is a run of letters, marks, digits and inner apostrophes; every other character that is
    not a space is a separate word.
    """
    text = tf.strings.regex_replace(text, r"([^\pL\pM\pN\s'’])", r" \1 ")
    text = tf.strings.regex_replace(text, r"(^|[\s\pZ])(['’]+)", r"\1\2 ")
    text = tf.strings.regex_replace(text, r"(['’]+)($|[\s\pZ])", r" \1\2")
    # `split` only recognises ASCII spaces.
    return tf.strings.split(tf.strings.regex_replace(text, r"\pZ", " "))


def encoded(texts: Any, locations: Sequence[str]) -> np.ndarray:
    """Texts as an array of UTF-8 bytes.

    Raises:
        SeqzooError: an entry is not a string, or not valid Unicode; the message names its location.
    """
    results = []
    for text, location in zip(texts, locations, strict=True):
        if not isinstance(text, str):
            raise SeqzooError(
                f"Text was expected, but {location} is of type {type(text).__name__}.",
                location=location,
            )
        try:
            results.append(text.encode("utf-8"))
        except UnicodeEncodeError as error:
            raise SeqzooError(
                f"{location} is not Unicode text ({error.reason} at character {error.start}); "
                "remove or fix it.",
                location=location,
            ) from error
    return np.array(results, object)


def learn_vocabulary(
    choices: Any, chunks: Iterable[Any], split: Callable, reserved: Sequence[str] = ()
) -> Vocabulary:
    """Learns the vocabulary of texts.

    Args:
        choices: a template with `input`, `vocabulary_size` and `minimum_count`.
        chunks: batches of texts, strings (batch,).
        split: strings -> tokens, ragged; not used for subwords.
        reserved: tokens before the learned ones.
    """
    if choices.input == "subwords":
        spaced = (collapse_spaces(texts).numpy() for texts in chunks)
        return learn_subwords(spaced, choices.vocabulary_size, choices.minimum_count, reserved)
    counts = count_tokens(chunks, split)
    size = choices.vocabulary_size - len(reserved)
    learned = Vocabulary.learn(counts, size, choices.minimum_count)
    return Vocabulary([*reserved, *learned.tokens])


def count_tokens(chunks: Iterable[Any], split: Callable) -> Counter[bytes]:
    """How often each token occurs; see `learn_vocabulary`."""
    counts = Counter()
    for texts in chunks:
        counts.update(split(texts).flat_values.numpy().tolist())
    return counts


def find_vectors(
    template: Any, vocabulary: Vocabulary, counts: Counter[bytes]
) -> tuple[Vocabulary, WordVectors | None]:
    """Adds the words of the template's pretrained vectors to a vocabulary; returns it and the
    vectors. Without vectors, returns the vocabulary unchanged and None."""
    if not getattr(template, "vectors", None):
        return vocabulary, None
    keep = None if template.vectors_vocabulary == "all" else template.vectors_keep
    return add_vectors(vocabulary, counts, template.vectors, keep)


class TextFeatures(Features):
    """Characters, words or subwords as ids.

    Args:
        template: a template with `input`, `lowercase`, `nfc` and `maximum_length`.
        vocabulary: the vocabulary of the training examples, and the words of `vectors`.
        vectors: pretrained word vectors, or None.
        joined: whether words carry joiners, like those of the language model whose layers are
            reused.

    Attributes:
        target_vocabulary: the target vocabulary of a model that copies tokens, otherwise None. With
            it, a step consists of the id of a token and its id in `copy_ids`.
    """

    target_vocabulary: Vocabulary | None = None

    def __init__(
        self,
        template: Any,
        vocabulary: Vocabulary,
        vectors: WordVectors | None = None,
        joined: bool = False,
    ):
        self.template = template
        self.vocabulary = vocabulary
        self.vectors = vectors
        self.joined = joined

    @classmethod
    def learn(cls, template: Any, examples: Examples, *, joined: bool = False) -> "TextFeatures":
        # Words are copied as they are written in targets.
        joined = joined or (template.input == "words" and getattr(template, "copy", False))
        features = cls(template, Vocabulary([]), joined=joined)
        if isinstance(examples.inputs, TextColumn) and template.input != "subwords":
            from seqzoo.tasks.preprocessing.stored_tokens import StoredTokens

            counts = StoredTokens.of(examples.inputs, features).counts(examples.inputs)
            learned = Vocabulary.learn(counts, template.vocabulary_size, template.minimum_count)
            features.vocabulary, features.vectors = find_vectors(template, learned, counts)
            return features

        def chunks() -> Iterable[Any]:
            for start in range(0, len(examples), cls.chunk):
                part = range(start, min(start + cls.chunk, len(examples)))
                locations = [examples.location(index) for index in part]
                yield features.normalized(
                    *features.raw(examples.inputs[start : part.stop], locations)
                )

        if getattr(template, "vectors", None):
            counts = count_tokens(chunks(), features.split)
            learned = Vocabulary.learn(counts, template.vocabulary_size, template.minimum_count)
            features.vocabulary, features.vectors = find_vectors(template, learned, counts)
        else:
            features.vocabulary = learn_vocabulary(template, chunks(), features.split)
        return features

    @property
    def is_storable(self) -> bool:
        return self.target_vocabulary is None  # stored tokens have only ids of the inputs

    def encode_stored(self, examples: Examples) -> Sequences:
        from seqzoo.tasks.preprocessing.stored_tokens import StoredTokens

        return StoredTokens.of(examples.inputs, self).encode(examples, self)

    def raw(self, inputs: Any, locations: Sequence[str]) -> tuple:
        return (encoded(inputs, locations),)

    def composed(self, text: Any) -> Any:
        """Strings (n,) -> the same, in Unicode's composed form if `nfc` is set."""
        return composed(text) if self.template.nfc else text

    def normalized(self, text: Any) -> Any:
        """Strings (n,) -> the same, normalised and lowercased as configured."""
        text = self.composed(text)
        return lowercase(text) if self.template.lowercase else text

    def split(self, text: Any) -> Any:
        """Strings (batch,), normalised -> tokens, ragged (batch, time)."""
        if self.template.input == "subwords":
            tokens = split_subwords(text, self.vocabulary)
        else:
            words = split_joined_words if self.joined else split_words
            tokens = (words if self.template.input == "words" else split_characters)(text)
        if getattr(self.template, "backward", False):
            return tf.reverse(tokens, [1])
        return tokens[:, : self.template.maximum_length]

    def tokens(self, text: Any) -> Any:
        """Strings (batch,) -> tokens (batch, time), "" after the end."""
        return with_a_step(self.split(self.normalized(text)).to_tensor(""), "")

    def copied(self, text: Any) -> Any:
        """Strings (batch,) -> the tokens that a model can copy, in the form that they have in
        targets, (batch, time), "" for steps without such a token. Words keep their case, unless
        targets are lowercased."""
        normalized = self.composed if self.template.input == "words" else self.normalized
        tokens = with_a_step(self.split(normalized(text)).to_tensor(""), "")
        return lowercase(tokens) if self.template.lowercase_targets else tokens

    def ids(self, tokens: Any) -> Any:
        """Tokens, a string tensor, -> ids; with word vectors, an unknown token gets the id of its
        lowercase form."""
        ids = self.vocabulary.ids(tokens)
        if self.vectors is None:
            return ids
        lowered = self.vocabulary.ids(lowercase(tokens))
        return tf.where(ids == UNKNOWN, lowered, ids)

    @property
    def remarks(self) -> Sequence[str]:
        """Sentences that describe what was learned."""
        if self.vectors is None or self.vectors.table is None:  # from a run, for its own examples
            return []
        covered = f"{self.vectors.coverage:.1%} of the words in the training examples have a vector"
        further = len(self.vocabulary) - self.vectors.trained_ids
        more = f"further words with only a pretrained vector: {further:,}"
        return [f"{covered}; {more}.", *self.vectors.notes]

    def transform(self, *raw: Any) -> tuple[Any, Any]:
        tokens = self.split(self.normalized(*raw))
        ids = tf.ragged.map_flat_values(self.ids, tokens)
        values = with_a_step(ids.to_tensor(PADDING), PADDING)
        if self.target_vocabulary is not None:
            copies = copy_ids(self.copied(*raw), self.target_vocabulary)
            values = tf.stack([values, copies], axis=-1)
        return values, tf.cast(tokens.row_lengths(), tf.int32)

    @property
    def signature(self) -> list:
        return [tf.TensorSpec((None,), tf.string, "text")]

    @property
    def step(self) -> tuple[tuple[int, ...], str]:
        return () if self.target_vocabulary is None else (2,), "int32"

    def to_config(self) -> dict[str, Any]:
        config = {} if self.vectors is None else {"vectors": self.vectors.to_config()}
        return {**config, "joined": True} if self.joined else config

    @classmethod
    def from_config(cls, template: Any, config: dict, vocabularies: dict) -> "TextFeatures":
        joined = config.get("joined", False)
        return cls(template, vocabularies["vocabulary"], stored_vectors(config), joined)


def stored_vectors(config: dict) -> WordVectors | None:
    """The word vectors in a stored config of features, without their table; None if it has none."""
    return WordVectors.from_config(config["vectors"]) if "vectors" in config else None
