"""Words with their characters, or only characters, to ids, in the graph: one step per token."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import tensorflow as tf

from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.preprocessing.base import with_a_step
from seqzoo.tasks.preprocessing.raw_sentences import SentenceSplitter
from seqzoo.tasks.preprocessing.text import (
    TextFeatures,
    find_vectors,
    split_characters,
    stored_vectors,
)
from seqzoo.tasks.preprocessing.vocabulary import PADDING, SPECIAL, Vocabulary
from seqzoo.tasks.preprocessing.word_vectors import WordVectors

WORD_CHARACTERS = 20
"""Maximum characters of a word; of a longer one the first and the last ten are read."""

JOINER = "\u00a0"
"""The no-break space, which represents white space inside a word."""

WORD, CHARACTERS = "vocabulary", "character_vocabulary"
"""Names of the vocabularies."""


class TokenFeatures(TextFeatures):
    """The words of sentences, or the characters of texts.

    A sentence is a sequence of words or one string. In training examples, whose tags belong to
    words, and in the graph, a string is split at white space, but not at no-break spaces; white
    space inside a word of a sequence becomes one. So a sentence whose words are joined with spaces
    gives the same words, and an exported graph can take such strings. In predictions a string is a
    raw sentence, which `words` splits before that.

    Values are the ids of tokens (batch, time); if the characters of words are read, an id of the
    word and `WORD_CHARACTERS` of its characters, (batch, time, 1 + WORD_CHARACTERS).

    Args:
        template: has `input`, `lowercase`, `nfc` and `characters`.
        vocabulary: of tokens.
        characters: vocabulary of the characters of words, if these are read.
        vectors: pretrained word vectors, or None.
    """

    def __init__(
        self,
        template: Any,
        vocabulary: Vocabulary,
        characters: Vocabulary | None = None,
        vectors: WordVectors | None = None,
    ):
        super().__init__(template, vocabulary, vectors)
        self.characters = characters

    @classmethod
    def learn(cls, template: Any, examples: Examples, *, joined: bool = False) -> "TokenFeatures":
        features, counts = cls(template, Vocabulary([])), Counter()
        for start in range(0, len(examples), cls.chunk):
            part = range(start, min(start + cls.chunk, len(examples)))
            places = [examples.place(index) for index in part]
            tokens = features.split(*features.raw(examples.inputs[part.start : part.stop], places))
            counts.update(features.formed(tokens.flat_values).numpy().tolist())
        tokens, size = counts, template.vocabulary_size
        if template.lowercase:
            lowered = tf.strings.lower(
                tf.constant(list(counts), tf.string), encoding="utf-8"
            ).numpy()
            tokens = Counter()
            for token, count in zip(lowered, counts.values(), strict=True):
                tokens[token] += count
        own = Vocabulary.learn(tokens, size, template.minimum_count)
        features.vocabulary, features.vectors = find_vectors(template, own, tokens)
        if template.characters:
            within = Counter()
            for token, count in counts.items():
                for character in token.decode("utf-8"):
                    within[character.encode("utf-8")] += count
            features.characters = Vocabulary.learn(within, size, template.minimum_count)
        return features

    def raw(self, inputs: Any, places: Sequence[str]) -> tuple:
        if self.template.input == "words":
            pairs = zip(inputs, places, strict=True)
            inputs = [
                item if isinstance(item, str) else _joined(item, place) for item, place in pairs
            ]
        return super().raw(inputs, places)

    @property
    def words_of_training(self) -> list[str]:
        """The words of the training data, the most frequent first, without those that only have
        a pretrained vector: their texts were not split like the training data."""
        tokens = self.vocabulary.tokens
        return tokens if self.vectors is None else tokens[: self.vectors.own - SPECIAL]

    @cached_property
    def splitter(self) -> SentenceSplitter:
        """Splits raw sentences like the training data."""
        return SentenceSplitter(self.words_of_training, self.template.lowercase)

    def words(self, sentence: Any) -> Any:
        """The words of a raw sentence; a sequence of words, and text whose characters are tagged,
        unchanged."""
        raw = self.template.input == "words" and isinstance(sentence, str)
        return self.splitter(sentence) if raw else sentence

    def split(self, text: Any) -> Any:
        """Strings (batch,) -> tokens, ragged (batch, time), unchanged."""
        if self.template.input == "characters":
            return split_characters(text)
        # `split` only recognises ASCII spaces.
        return tf.strings.split(
            tf.strings.regex_replace(text, r"[^\PZ\x{A0}\x{2007}\x{202F}]", " ")
        )

    def tokens(self, text: Any) -> Any:
        """Strings (batch,) -> tokens (batch, time), as long as the values, "" in the padding."""
        return with_a_step(self.split(text).to_tensor(""), "")

    def transform(self, *raw: Any) -> tuple[Any, Any]:
        tokens = self.split(*raw)
        flat = self.formed(tokens.flat_values)
        lowered = tf.strings.lower(flat, encoding="utf-8") if self.template.lowercase else flat
        values = self.ids(lowered)
        if self.characters is not None:
            within = tf.strings.unicode_split(flat, "UTF-8")
            half = WORD_CHARACTERS // 2
            within = tf.concat([within[:, :half], within[:, half:][:, -half:]], 1)
            ids = tf.ragged.map_flat_values(self.characters.ids, within)
            ids = ids.to_tensor(PADDING, shape=(None, WORD_CHARACTERS))
            values = tf.concat([values[:, None], ids], 1)
        values = tokens.with_flat_values(values).to_tensor(PADDING)
        return with_a_step(values, PADDING), tf.cast(tokens.row_lengths(), tf.int32)

    @property
    def step(self) -> tuple[tuple[int, ...], str]:
        return () if self.characters is None else (1 + WORD_CHARACTERS,), "int32"

    @property
    def vocabularies(self) -> dict[str, Vocabulary]:
        known = {WORD: self.vocabulary}
        return known if self.characters is None else {**known, CHARACTERS: self.characters}

    @classmethod
    def from_config(cls, template: Any, config: dict, vocabularies: dict) -> "TokenFeatures":
        characters = vocabularies.get(CHARACTERS)
        return cls(template, vocabularies[WORD], characters, stored_vectors(config))


def _joined(words: Any, place: str) -> str:
    """The words of a sentence in one string."""
    try:
        words = list(words)
    except TypeError:
        words = [words]
    for word in words:
        if not isinstance(word, str) or not word:
            raise SeqzooError(
                "A sentence must be words, strings of at least one character, or one string, but "
                f"{place} has {word!r}.",
                location=place,
            )
    return " ".join(re.sub(r"\s", JOINER, word) for word in words)
