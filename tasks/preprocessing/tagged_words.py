"""Converts words with their characters, or characters alone, to ids with TensorFlow operations: one
step per token."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import tensorflow as tf

from seqzoo.tasks.data.batches import Sequences
from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.preprocessing.base import with_a_step
from seqzoo.tasks.preprocessing.character_models import CharacterModel, read_character_models
from seqzoo.tasks.preprocessing.normalization import lowercase
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
"""Maximum number of characters that are read per word: the first ten and the last ten of longer
words."""

JOINER = "\u00a0"
"""The no-break space, which represents whitespace inside a word."""

WORD, CHARACTERS = "vocabulary", "character_vocabulary"
"""Names of the vocabularies."""

MODELS = "language_model_vocabulary"
"""Prefix of the names of the language models' vocabularies; their numbers follow, from 1."""


class TokenFeatures(TextFeatures):
    """The words of sentences, or the characters of texts.

    A sentence is a sequence of words or one string. In training examples, whose tags belong to
    words, and in the graph, a string is split at whitespace, but not at no-break spaces; whitespace
    inside a word of a sequence becomes a no-break space. So a sentence whose words are joined with
    spaces gives the same words, and an exported graph can take such strings. In predictions a
    string is a raw sentence, which is first split by `words`.

    Values are the ids of tokens (batch, time); if the characters of words are read, the id of the
    word and the `WORD_CHARACTERS` ids of its characters, (batch, time, 1 + WORD_CHARACTERS). If
    language models read the characters of the sentence, one column per model follows, with the step
    of the model that represents the word; the characters that the models read are further inputs,
    "values_1" and so on.

    Args:
        template: a template with `input`, `lowercase`, `nfc` and `characters`.
        vocabulary: the vocabulary of tokens.
        characters: vocabulary of the characters of words, if these are read.
        vectors: pretrained word vectors, or None.
        models: language models whose states are features of words.
    """

    def __init__(
        self,
        template: Any,
        vocabulary: Vocabulary,
        characters: Vocabulary | None = None,
        vectors: WordVectors | None = None,
        models: Sequence[CharacterModel] = (),
    ):
        super().__init__(template, vocabulary, vectors)
        self.characters = characters
        self.models = tuple(models)

    @classmethod
    def learn(cls, template: Any, examples: Examples, *, joined: bool = False) -> "TokenFeatures":
        features, counts = cls(template, Vocabulary([])), Counter()
        for start in range(0, len(examples), cls.chunk):
            part = range(start, min(start + cls.chunk, len(examples)))
            locations = [examples.location(index) for index in part]
            tokens = features.split(
                *features.raw(examples.inputs[part.start : part.stop], locations)
            )
            counts.update(features.composed(tokens.flat_values).numpy().tolist())
        tokens, size = counts, template.vocabulary_size
        if template.lowercase:
            lowered = lowercase(tf.constant(list(counts), tf.string)).numpy()
            tokens = Counter()
            for token, count in zip(lowered, counts.values(), strict=True):
                tokens[token] += count
        learned = Vocabulary.learn(tokens, size, template.minimum_count)
        features.vocabulary, features.vectors = find_vectors(template, learned, tokens)
        if template.characters:
            characters = Counter()
            for token, count in counts.items():
                for character in token.decode("utf-8"):
                    characters[character.encode("utf-8")] += count
            features.characters = Vocabulary.learn(characters, size, template.minimum_count)
        features.models = read_character_models(template.features_from)
        return features

    def raw(self, inputs: Any, locations: Sequence[str]) -> tuple:
        if self.template.input == "words":
            pairs = zip(inputs, locations, strict=True)
            inputs = [
                item if isinstance(item, str) else _joined(item, location)
                for item, location in pairs
            ]
        return super().raw(inputs, locations)

    @property
    def words_of_training(self) -> list[str]:
        """The words of the training data, the most frequent first, without words that have only a
        pretrained vector: these come from texts that were not split like the training data."""
        tokens = self.vocabulary.tokens
        return tokens if self.vectors is None else tokens[: self.vectors.trained_ids - SPECIAL]

    @cached_property
    def splitter(self) -> SentenceSplitter:
        """Splits raw sentences like the training data."""
        return SentenceSplitter(self.words_of_training, self.template.lowercase)

    def words(self, sentence: Any) -> Any:
        """Splits a raw sentence into words; a sequence of words, or a text whose characters are
        tagged, is returned unchanged."""
        raw = self.template.input == "words" and isinstance(sentence, str)
        return self.splitter(sentence) if raw else sentence

    def split(self, text: Any) -> Any:
        """Strings (batch,) -> tokens, not normalised, ragged (batch, time)."""
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
        flat = self.composed(tokens.flat_values)
        lowered = lowercase(flat) if self.template.lowercase else flat
        values = self.ids(lowered)
        if self.characters is not None:
            spelling = tf.strings.unicode_split(flat, "UTF-8")
            half = WORD_CHARACTERS // 2
            spelling = tf.concat([spelling[:, :half], spelling[:, half:][:, -half:]], 1)
            ids = tf.ragged.map_flat_values(self.characters.ids, spelling)
            ids = ids.to_tensor(PADDING, shape=(None, WORD_CHARACTERS))
            values = tf.concat([values[:, None], ids], 1)
        values = tokens.with_flat_values(values).to_tensor(PADDING)
        if self.models:
            columns = [model.transform(tokens)[2][:, :, None] for model in self.models]
            word_columns = values[:, :, None] if self.characters is None else values
            values = tf.concat([word_columns, *columns], 2)
        return with_a_step(values, PADDING), tf.cast(tokens.row_lengths(), tf.int32)

    def tensors(self, *raw: Any) -> dict[str, Any]:
        results = super().tensors(*raw)
        for number, model in enumerate(self.models, 1):
            values, lengths, _ = model.transform(self.split(*raw))
            results |= {f"values_{number}": values, f"lengths_{number}": lengths}
        return results

    def encode_further(self, examples: Examples) -> tuple[Sequences, ...]:
        return tuple(
            self.encode_by(self._reader(model), examples, optional=True) for model in self.models
        )

    def _reader(self, model: CharacterModel) -> Any:
        """The function that encodes the characters for a language model, traced once for any number
        of examples."""
        return tf.function(
            lambda *raw: model.transform(self.split(*raw))[:2],
            input_signature=self.signature,
            autograph=False,
        )

    @property
    def columns(self) -> int:
        """Number of columns of the word itself: its id and, if read, the ids of its characters."""
        return 1 if self.characters is None else 1 + WORD_CHARACTERS

    @property
    def step(self) -> tuple[tuple[int, ...], str]:
        total = self.columns + len(self.models)
        return () if total == 1 else (total,), "int32"

    @property
    def vocabularies(self) -> dict[str, Vocabulary]:
        vocabularies = {WORD: self.vocabulary}
        if self.characters is not None:
            vocabularies[CHARACTERS] = self.characters
        for number, model in enumerate(self.models, 1):
            vocabularies[f"{MODELS}{number}"] = model.vocabulary
        return vocabularies

    def to_config(self) -> dict[str, Any]:
        models = [model.to_config() for model in self.models]
        return {**super().to_config(), **({"models": models} if models else {})}

    @classmethod
    def from_config(cls, template: Any, config: dict, vocabularies: dict) -> "TokenFeatures":
        models = [
            CharacterModel.from_config(item, vocabularies[f"{MODELS}{number}"])
            for number, item in enumerate(config.get("models", []), 1)
        ]
        return cls(
            template,
            vocabularies[WORD],
            vocabularies.get(CHARACTERS),
            stored_vectors(config),
            models,
        )


def _joined(words: Any, location: str) -> str:
    """Joins the words of a sentence into one string.

    Raises:
        SeqzooError: a word is empty, or not a string.
    """
    if isinstance(words, Mapping):  # not its keys
        words = [words]
    try:
        words = list(words)
    except TypeError:
        words = [words]
    for word in words:
        if not isinstance(word, str) or not word:
            raise SeqzooError(
                "A sentence must be one string or a sequence of words of at least one character, "
                f"but {location} has {word!r}.",
                location=location,
            )
    return " ".join(re.sub(r"\s", JOINER, word) for word in words)
