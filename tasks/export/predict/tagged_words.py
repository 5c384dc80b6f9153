"""Sentences whose words are tagged, with the characters of the words if the model reads them."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqzoo.tasks.export.predict.character_classes import SPACES, split_at_white_space
from seqzoo.tasks.export.predict.padded_batches import lengths, padded
from seqzoo.tasks.export.predict.texts import TextReader, lowercase, one_text
from seqzoo.tasks.export.predict.token_ids import PADDING, SPECIAL, UNKNOWN
from seqzoo.tasks.preprocessing.raw_sentences import SentenceSplitter


class TaggedWordReader(TextReader):
    """Reads sentences: lists of words, or texts, which are split like the training data or into
    characters."""

    def __init__(self, about: dict[str, Any]):
        super().__init__(about)
        self.splitter = None
        if about["split"] == "words":
            words = about["vocabulary"][: about.get("words_of_training")]
            self.splitter = SentenceSplitter(words, about["lowercase"])

    def tokens(self, text: str | Sequence[str]) -> list[str]:
        if self.splitter is None:
            return list(one_text(text))
        text = one_text(self.splitter(text) if isinstance(text, str) else text)
        # No-break spaces are part of a word.
        spaces = SPACES.replace("\u00a0", "").replace("\u202f", "")
        spaces = spaces.replace("\u2000-\u200a", "\u2000-\u2006\u2008-\u200a")
        return split_at_white_space(re.sub(f"[{spaces}]", " ", text))

    def ids(self, text: str | Sequence[str]) -> list[Any]:
        return [self.word_id(self.normalised(token)) for token in self.tokens(text)]

    def word_id(self, word: str) -> int:
        """The id of a normalised word."""
        return self.id(lowercase(word) if self.about["lowercase"] else word)


class SpelledWordReader(TaggedWordReader):
    """Reads sentences with the first and last characters of each word."""

    def __init__(self, about: dict[str, Any]):
        super().__init__(about)
        characters = about["character_vocabulary"]
        self.characters = {token: SPECIAL + position for position, token in enumerate(characters)}

    def tensors(self, inputs: Sequence[Any]) -> dict[str, np.ndarray]:
        """Sentences -> ids "values", (batch, time, 1 + characters), and "lengths", (batch,)."""
        columns = 1 + self.about["word_characters"]
        rows = [np.array(self.ids(text), np.int32).reshape(-1, columns) for text in inputs]
        return {"values": padded(rows, np.int32), "lengths": lengths(rows)}

    def ids(self, text: str | Sequence[str]) -> list[Any]:
        """For each word of a text, its id and those of its characters."""
        count = self.about["word_characters"]
        half, rows = count // 2, []
        for word in map(self.normalised, self.tokens(text)):
            spelling = word[:half] + word[half:][-half:]
            ids = [self.characters.get(character, UNKNOWN) for character in spelling]
            rows.append([self.word_id(word), *ids, *[PADDING] * (count - len(ids))])
        return rows
