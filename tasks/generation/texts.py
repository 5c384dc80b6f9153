"""Texts as targets: from strings to token ids with an end, and back, in the graph."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.examples import Examples
from seqzoo.tasks.features.text import TextFeatures
from seqzoo.tasks.sequences import Sequences
from seqzoo.tasks.vocabulary import SPECIAL, Vocabulary

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
        self = cls(choices, Vocabulary([START_TOKEN, END_TOKEN]), 0)
        counts, longest = Counter(), 0
        for tokens in self._split(texts, places):
            counts.update(tokens.flat_values.numpy().tolist())
            longest = max(longest, int(tf.reduce_max(tokens.row_lengths())))
        learnt = Vocabulary.learn(counts, choices.vocabulary_size - 2, choices.minimum_count)
        if not learnt.tokens:
            raise SeqzooError("The targets hold no token that occurs often enough to be learnt.")
        return cls(choices, Vocabulary([START_TOKEN, END_TOKEN, *learnt.tokens]), longest)

    def encode(self, texts: Sequence[str], places: Sequence[str]) -> Sequences:
        """Ids of the tokens of each text and of its end.

        Raises:
            SeqzooError: a text is none.
        """
        flat, lengths = [], []
        for tokens in self._split(texts, places):
            ids = tf.ragged.map_flat_values(self.vocabulary.ids, tokens)
            ids = tf.concat([ids, tf.fill([ids.nrows(), 1], END)], axis=1)
            flat.append(ids.flat_values.numpy())
            lengths.append(ids.row_lengths().numpy().astype(np.int32))
        return Sequences(np.concatenate(flat), np.concatenate(lengths))

    def split(self, texts: Any) -> Any:
        """Strings (batch,) -> tokens, ragged (batch, time)."""
        return self.features.split(tf.strings.regex_replace(texts, "[\\x02\\x03]", ""))

    def join(self, ids: Any, lengths: Any) -> Any:
        """Ids (..., time) and lengths (...) -> strings (...)."""
        tokens = tf.gather(tf.constant([""] * SPECIAL + self.vocabulary.tokens), ids)
        inside = tf.range(tf.shape(ids)[-1]) < lengths[..., None]
        separator = " " if self.choices.input == "words" else ""
        text = tf.strings.reduce_join(tf.where(inside, tokens, ""), -1, separator=separator)
        return spaced(tf.strings.strip(text)) if separator else text

    def tokens(self, text: str) -> list[str]:
        """The tokens of one text, as scores count them."""
        return [token.decode("utf-8") for token in self.split([text]).values.numpy()]

    def _split(self, texts: Sequence[str], places: Sequence[str]) -> Any:
        start = 0
        while start < len(texts):
            # Texts may be whole books, of which a thousand would not fit into memory.
            stop, characters = start, 0
            while stop < min(len(texts), start + TextFeatures.chunk) and characters < CHUNK:
                # What is no text is told by `raw`.
                characters += len(str(texts[stop])) if isinstance(texts[stop], str) else 0
                stop += 1
            (raw,) = self.features.raw(texts[start:stop], places[start:stop])
            yield self.split(tf.constant(raw, tf.string))
            start = stop

    def to_config(self) -> dict[str, Any]:
        """All that was learnt, except for the vocabulary."""
        return {"longest": self.longest}


TextKind = Literal["characters", "words"]


def required_texts(examples: Examples) -> Sequence[str]:
    """The target texts of examples.

    Raises:
        SeqzooError: there are none.
    """
    if examples.targets is None:
        raise SeqzooError("Targets are needed to train and to score, but the examples have none.")
    return examples.targets
