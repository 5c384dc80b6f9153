"""Texts as targets: from strings to token ids with an end, and back, in the graph."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.data.sequences import Sequences
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.preprocessing.subwords import join_subwords
from seqzoo.tasks.preprocessing.text import TextFeatures, learn_vocabulary, split_words
from seqzoo.tasks.preprocessing.vocabulary import SPECIAL, Vocabulary

START_TOKEN, END_TOKEN = "\x02", "\x03"
"""Unicode's "start of text" and "end of text": they stand in vocabularies, and not in texts."""

START, END = SPECIAL, SPECIAL + 1
"""Their ids."""

CHUNK = 1_000_000
"""Characters of texts that are split at once."""


def spaced(text: Any) -> Any:
    """Words joined by spaces -> the same as text is written: "Well - known , sir ." becomes
    "Well-known, sir."."""
    text = tf.strings.regex_replace(text, r"([\pL\pN]) - ([\pL\pN])", r"\1-\2")
    text = tf.strings.regex_replace(text, r" ([,.;:!?…)\]}])", r"\1")
    return tf.strings.regex_replace(text, r"([(\[{]) ", r"\1")


@dataclass(frozen=True)
class TextChoices:
    """What `TextFeatures` asks of a template."""

    input: str
    lowercase: bool
    vocabulary_size: int
    minimum_count: int
    maximum_length: int | None = None


class Texts:
    """Texts of one kind, with an end token behind each.

    Args:
        choices: how they are split into tokens.
        vocabulary: with `START_TOKEN` and `END_TOKEN` in front.
        longest: tokens of the longest text in training, without the end.
    """

    def __init__(self, choices: TextChoices, vocabulary: Vocabulary, longest: int):
        self.choices = choices
        self.vocabulary = vocabulary
        self.longest = longest
        self.features = TextFeatures(choices, vocabulary)

    @classmethod
    def learn(cls, choices: TextChoices, texts: Sequence[str], places: Sequence[str]) -> "Texts":
        """Learns the vocabulary.

        Raises:
            SeqzooError: a text is none.
        """
        own = cls(choices, Vocabulary([]), 0)
        chunks = map(own._clean, own._chunks(texts, places))
        learnt = learn_vocabulary(choices, chunks, own.features.split, (START_TOKEN, END_TOKEN))
        if len(learnt.tokens) == 2:
            raise SeqzooError("The targets hold no token that occurs often enough to be learnt.")
        own = cls(choices, learnt, 0)
        for chunk in own._chunks(texts, places):
            own.longest = max(own.longest, int(tf.reduce_max(own._graph(chunk).row_lengths())))
        return own

    def encode(self, texts: Sequence[str], places: Sequence[str]) -> Sequences:
        """Ids of the tokens of each text and of its end.

        Raises:
            SeqzooError: a text is none.
        """
        flat, lengths = [], []
        for chunk in self._chunks(texts, places):
            ids = tf.ragged.map_flat_values(self.vocabulary.ids, self._graph(chunk))
            ids = tf.concat([ids, tf.fill([ids.nrows(), 1], END)], axis=1)
            flat.append(ids.flat_values.numpy())
            lengths.append(ids.row_lengths().numpy().astype(np.int32))
        return Sequences(np.concatenate(flat), np.concatenate(lengths))

    def split(self, texts: Any) -> Any:
        """Strings (batch,) -> tokens, ragged (batch, time)."""
        return self.features.split(self._clean(texts))

    @cached_property
    def _graph(self) -> Any:
        """`split`, traced once."""
        return tf.function(
            self.split, input_signature=[tf.TensorSpec((None,), tf.string)], autograph=False
        )

    def join(self, ids: Any, lengths: Any, goes_on: bool = False) -> Any:
        """Ids (..., time) and lengths (...) -> strings (...).

        Args:
            ids: of tokens.
            lengths: of texts.
            goes_on: whether a text stands behind another, so that subwords keep a space in front.
        """
        tokens = tf.gather(tf.constant([""] * SPECIAL + self.vocabulary.tokens), ids)
        tokens = tf.where(tf.range(tf.shape(ids)[-1]) < lengths[..., None], tokens, "")
        if self.choices.input == "subwords":
            return join_subwords(tokens) if goes_on else tf.strings.strip(join_subwords(tokens))
        if self.choices.input == "words":
            return spaced(tf.strings.strip(tf.strings.reduce_join(tokens, -1, separator=" ")))
        return tf.strings.reduce_join(tokens, -1)

    def tokens(self, texts: Sequence[str]) -> list[list[str]]:
        """The tokens of each text, as scores count them; words instead of subwords, since these
        are of our making."""
        split = split_words if self.choices.input == "subwords" else self._graph
        return [
            [token.decode("utf-8") for token in row]
            for chunk in self._chunks(texts, texts)
            for row in split(chunk).to_list()
        ]

    def _clean(self, texts: Any) -> Any:
        """Strings -> the same in the right case, without the signs of start and end."""
        texts = tf.strings.regex_replace(texts, f"[{START_TOKEN}{END_TOKEN}]", "")
        return self.features.cased(texts)

    def _chunks(self, texts: Sequence[str], places: Sequence[str]) -> Iterable[Any]:
        """Some texts at a time, strings (batch,).

        Raises:
            SeqzooError: a text is none.
        """
        start = 0
        while start < len(texts):
            # Texts may be whole books, of which a thousand would not fit into memory.
            stop, characters = start, 0
            while stop < min(len(texts), start + TextFeatures.chunk) and characters < CHUNK:
                # What is no text is told by `raw`.
                characters += len(str(texts[stop])) if isinstance(texts[stop], str) else 0
                stop += 1
            (raw,) = self.features.raw(texts[start:stop], places[start:stop])
            yield tf.constant(raw, tf.string)
            start = stop

    def to_config(self) -> dict[str, Any]:
        """All that was learnt, except for the vocabulary."""
        return {"longest": self.longest}


def required_texts(examples: Examples) -> Sequence[str]:
    """The target texts of examples.

    Raises:
        SeqzooError: there are none.
    """
    if examples.targets is None:
        raise SeqzooError("Targets are needed to train and to score, but the examples have none.")
    return examples.targets
