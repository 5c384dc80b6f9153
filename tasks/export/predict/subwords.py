"""Texts split into their most probable subwords under a unigram model (Kudo 2018)."""

import re
from typing import Any

import numpy as np

from seqzoo.tasks.export.predict.character_classes import SPACES, split_at_white_space
from seqzoo.tasks.export.predict.texts import TextReader

PIECE_SPACE = "\u2581"
"""The first character of the subwords that begin a word."""

MAX_PIECE_LENGTH, UNKNOWN_COST = 16, 10.0


class SubwordReader(TextReader):
    """Reads texts, split into subwords."""

    def __init__(self, about: dict[str, Any]):
        super().__init__(about)
        scores = np.array(about["scores"], np.float32)
        self.scores = dict(zip(about["vocabulary"], scores, strict=True))
        self.unknown = np.float32(min(about["scores"]) - UNKNOWN_COST)

    def split(self, text: str) -> list[str]:
        text = re.sub(rf"[\t\n\f\r\v{SPACES}{PIECE_SPACE}]+", " ", text)
        words = split_at_white_space(text)
        return [piece for word in words for piece in self.pieces(PIECE_SPACE + word)]

    def pieces(self, word: str) -> list[str]:
        """The most probable pieces of a word (Viterbi search)."""
        best, lengths = [np.float32(0)], []
        for end in range(1, len(word) + 1):
            totals = []
            for length in range(1, min(MAX_PIECE_LENGTH, end) + 1):
                score = self.scores.get(word[end - length : end], np.float32(-np.inf))
                if length == 1 and word[end - 1] not in self.scores:
                    score = self.unknown
                totals.append(best[end - length] + score)
            length = 1 + int(np.argmax(totals))
            best.append(totals[length - 1])
            lengths.append(length)
        pieces, end = [], len(word)
        while end > 0:
            pieces.insert(0, word[end - lengths[end - 1] : end])
            end -= lengths[end - 1]
        return pieces


def without_pieces(tokens: list[str]) -> str:
    """Subwords -> the text, which begins with a space."""
    return "".join(tokens).replace(PIECE_SPACE, " ")
