"""Texts as targets: from strings to token ids with an end token, and back, with TensorFlow
operations."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from seqzoo.tasks.data.batches import Sequences
from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.data.shared_arrays import room_for
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.preprocessing.base import UNTRACED
from seqzoo.tasks.preprocessing.subwords import join_subwords
from seqzoo.tasks.preprocessing.text import TextFeatures, learn_vocabulary
from seqzoo.tasks.preprocessing.vocabulary import PADDING, SPECIAL, UNKNOWN, Vocabulary
from seqzoo.tasks.preprocessing.word_joiners import JOINER, join_words, split_joined_words

START_TOKEN, END_TOKEN = "\x02", "\x03"
"""Unicode's "start of text" and "end of text", which are in vocabularies but not in texts."""

START, END = SPECIAL, SPECIAL + 1
"""The ids of `START_TOKEN` and `END_TOKEN`."""

CHUNK = 1_000_000
"""Number of characters of texts that are tokenised together."""

LOSSY, JOINED = 1, 2
"""Tokenisations of words: without joiners, so that spaces are guessed (in runs that predate
joiners), and with joiners."""


def guessed_spaces(text: Any) -> Any:
    """Restores the usual spacing of words that are joined by spaces: "Well - known , sir ." becomes
    "Well-known, sir."; the original spacing of "3. 5" or "10: 30" cannot be known."""
    text = tf.strings.regex_replace(text, r"([\pL\pN]) - ([\pL\pN])", r"\1-\2")
    text = tf.strings.regex_replace(text, r" ([,.;:!?…)\]}])", r"\1")
    return tf.strings.regex_replace(text, r"([(\[{]) ", r"\1")


@dataclass(frozen=True)
class TextOptions:
    """The options of a template that `TextFeatures` needs."""

    input: str
    lowercase: bool
    vocabulary_size: int
    minimum_count: int
    maximum_length: int | None = None
    nfc: bool = False
    backward: bool = False
    """Whether tokens are in the reverse order of the text."""

    @classmethod
    def of_input(cls, template: Any) -> "TextOptions":
        """Options for inputs that are also the targets."""
        return cls(
            template.input,
            template.lowercase,
            template.vocabulary_size,
            template.minimum_count,
            nfc=template.nfc,
            backward=template.backward,
        )

    @classmethod
    def of_target(cls, template: Any) -> "TextOptions":
        """Options of the target texts."""
        return cls(
            template.target,
            template.lowercase_targets,
            template.vocabulary_size,
            template.minimum_count,
            nfc=template.nfc,
        )


class Texts:
    """Texts as targets, with an end token after each.

    Texts are restored exactly from characters; from words and subwords, with a single space where
    there was any whitespace.

    Args:
        choices: the options of the tokenisation.
        vocabulary: the vocabulary, which begins with `START_TOKEN` and `END_TOKEN`.
        longest: number of tokens of the longest text in training, without the end token.
        tokenization: `JOINED`, or `LOSSY` in old runs.
    """

    def __init__(
        self,
        choices: TextOptions,
        vocabulary: Vocabulary,
        longest: int,
        tokenization: int = LOSSY,
    ):
        self.choices = choices
        self.vocabulary = vocabulary
        self.longest = longest
        self.tokenization = tokenization
        self.joined = choices.input == "words" and tokenization == JOINED
        self.features = TextFeatures(choices, vocabulary)
        self._encoded_texts = 0

    @classmethod
    def learn(cls, choices: TextOptions, texts: Sequence[str], locations: Sequence[str]) -> "Texts":
        """Learns the vocabulary and the length of the longest text.

        Raises:
            SeqzooError: an entry is not a string, or no token occurs often enough.
        """
        targets = cls(choices, Vocabulary([]), 0, JOINED)
        chunks = map(targets._clean, targets._chunks(texts, locations))
        learned = learn_vocabulary(choices, chunks, targets._split, (START_TOKEN, END_TOKEN))
        if len(learned.tokens) == 2:
            raise SeqzooError(
                "The targets contain no token that occurs often enough to be learned."
            )
        targets = cls(choices, learned, 0, JOINED)
        for chunk in targets._chunks(texts, locations):
            targets.longest = max(
                targets.longest, int(tf.reduce_max(targets._graph(chunk).row_lengths()))
            )
        return targets

    def encode(self, texts: Sequence[str], locations: Sequence[str]) -> Sequences:
        """Encodes each text as the ids of its tokens and of the end token.

        Raises:
            SeqzooError: an entry is not a string.
        """
        flat, lengths = [], []
        self._encoded_texts += len(texts)
        split = self._graph if self._encoded_texts > UNTRACED else self.split
        for chunk in self._chunks(texts, locations):
            tokens = split(chunk)
            ids = self.vocabulary.ids(tokens.flat_values).numpy()
            flat.append(np.insert(ids, tokens.row_splits.numpy()[1:], END))
            lengths.append(tokens.row_lengths().numpy().astype(np.int32) + 1)
        return Sequences(np.concatenate(flat, out=room_for(flat)), np.concatenate(lengths))

    def split(self, texts: Any) -> Any:
        """Strings (batch,) -> tokens, ragged (batch, time)."""
        return self._split(self._clean(texts))

    def ids(self, texts: Any) -> tuple[Any, Any]:
        """Strings (batch,) -> ids of their tokens without the end token, (batch, time), and their
        number, (batch,)."""
        tokens = self.split(texts)
        ids = tf.ragged.map_flat_values(self.vocabulary.ids, tokens)
        return ids.to_tensor(PADDING), tf.cast(tokens.row_lengths(), tf.int32)

    def _split(self, texts: Any) -> Any:
        return split_joined_words(texts) if self.joined else self.features.split(texts)

    @cached_property
    def _graph(self) -> Any:
        """`split`, traced once."""
        return tf.function(
            self.split, input_signature=[tf.TensorSpec((None,), tf.string)], autograph=False
        )

    def join(self, ids: Any, lengths: Any, continues: bool = False) -> Any:
        """Ids (..., time) and lengths (...) -> strings (...).

        Args:
            ids: ids of the tokens.
            lengths: lengths of the texts.
            continues: whether a text is the continuation of another, so that it keeps a leading
                space; see `starts_with_space`.
        """
        return self.join_tokens(self.named(ids), lengths, continues)

    def named(self, ids: Any) -> Any:
        """Ids -> their tokens, strings; empty for unknown tokens, and for copied tokens that are
        not in the vocabulary."""
        indices = tf.where(ids < len(self.vocabulary), ids, UNKNOWN)
        return tf.gather(tf.constant([""] * SPECIAL + self.vocabulary.tokens), indices)

    def join_tokens(self, tokens: Any, lengths: Any, continues: bool = False) -> Any:
        """Tokens (..., time), strings, and lengths (...) -> strings (...); see `join`."""
        tokens = tf.where(tf.range(tf.shape(tokens)[-1]) < lengths[..., None], tokens, "")
        if self.choices.backward:
            tokens = tf.reverse(tokens, [-1])
        if self.starts_with_space:
            texts = join_words(tokens) if self.joined else join_subwords(tokens)
            return texts if continues else tf.strings.strip(texts)
        if self.choices.input == "words":
            words = tf.strings.strip(tf.strings.reduce_join(tokens, -1, separator=" "))
            return guessed_spaces(words)
        return tf.strings.reduce_join(tokens, -1)

    @property
    def starts_with_space(self) -> bool:
        """Whether a continuation of a text begins with the space between the two, if any."""
        return self.choices.input == "subwords" or self.joined

    def tokens(self, texts: Sequence[str]) -> list[list[str]]:
        """The tokens of each text for counting errors: an extra or missing space counts as a wrong
        token. For subwords, which differ between models, these are words."""
        return [
            [token.decode("utf-8") for token in row]
            for chunk in self._chunks(texts, texts)
            for row in self._scored(chunk).to_list()
        ]

    @cached_property
    def _scored(self) -> Any:
        """The tokenisation for metrics, traced once."""

        def split(texts: Any) -> Any:
            if self.choices.input == "characters":
                return self.split(texts)
            return split_joined_words(self._clean(texts))

        return tf.function(
            split, input_signature=[tf.TensorSpec((None,), tf.string)], autograph=False
        )

    def _clean(self, texts: Any) -> Any:
        """Strings -> the same, normalised and lowercased as configured, without the start and end
        tokens (and without joiners)."""
        reserved = START_TOKEN + END_TOKEN + (JOINER if self.joined else "")
        texts = tf.strings.regex_replace(texts, f"[{reserved}]", "")
        return self.features.normalized(texts)

    def as_references(self, examples: Examples) -> Examples:
        """Examples whose targets are normalised and lowercased as those in training are, to be
        compared with generated texts.

        Raises:
            SeqzooError: there are no targets, or one is not a string.
        """
        chunks = self._chunks(required_texts(examples), examples.locations)
        cleaned = [text.decode("utf-8") for chunk in chunks for text in self._clean(chunk).numpy()]
        return replace(examples, targets=cleaned)

    def _chunks(self, texts: Sequence[str], locations: Sequence[str]) -> Iterable[Any]:
        """Batches of texts, strings (batch,).

        Raises:
            SeqzooError: an entry is not a string.
        """
        start = 0
        while start < len(texts):
            # Texts may be books, a thousand of which would not fit into memory.
            stop, characters = start, 0
            while stop < min(len(texts), start + TextFeatures.chunk) and characters < CHUNK:
                # Entries that are not strings are reported by `raw`.
                characters += len(str(texts[stop])) if isinstance(texts[stop], str) else 0
                stop += 1
            (raw,) = self.features.raw(texts[start:stop], locations[start:stop])
            yield tf.constant(raw, tf.string)
            start = stop

    def to_config(self) -> dict[str, Any]:
        """The learned state except for the vocabulary."""
        return {"longest": self.longest, "tokenization": self.tokenization}


def required_texts(examples: Examples) -> Sequence[str]:
    """The target texts of examples.

    Raises:
        SeqzooError: there are no targets.
    """
    if examples.targets is None:
        raise SeqzooError("Training and evaluation need targets, but the examples have none.")
    return examples.targets
