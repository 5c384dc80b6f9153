"""Texts as token ids: the base class, and texts split into characters."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqzoo.tasks.export.predict.padded_batches import lengths, padded
from seqzoo.tasks.export.predict.token_ids import SPECIAL, UNKNOWN


class TextReader:
    """Reads texts, split into characters.

    Args:
        about: "input" of model.json.
    """

    def __init__(self, about: dict[str, Any]):
        self.about = about
        self.vocabulary = {
            token: SPECIAL + position for position, token in enumerate(about["vocabulary"])
        }

    def tensors(self, inputs: Sequence[Any]) -> dict[str, np.ndarray]:
        """Texts -> ids "values", (batch, time), and "lengths", (batch,)."""
        rows = [np.array(self.ids(text), np.int32) for text in inputs]
        return {"values": padded(rows, np.int32), "lengths": lengths(rows)}

    def ids(self, text: str | Sequence[str]) -> list[Any]:
        """The ids of a text's tokens."""
        return [self.id(token) for token in self.tokens(text)]

    def tokens(self, text: str | Sequence[str]) -> list[str]:
        """The tokens of a text, or of a sequence of words."""
        about, text = self.about, one_text(text)
        text = re.sub(f"[{about['removed']}]", "", text) if about["removed"] else text
        text = self.normalised(text)
        text = lowercase(text) if about["lowercase"] else text
        return self.split(text)[: about["maximum_length"]]

    def split(self, text: str) -> list[str]:
        """The tokens of a normalised text."""
        return list(text)

    def id(self, token: str) -> int:
        """A token's id; with word vectors, that of its lowercase form if the token has none."""
        if token in self.vocabulary or not self.about.get("folded"):
            return self.vocabulary.get(token, UNKNOWN)
        return self.vocabulary.get(lowercase(token), UNKNOWN)

    def normalised(self, text: str) -> str:
        """The text in the Unicode normalisation form that the model was trained with."""
        return unicodedata.normalize("NFC", text) if self.about["nfc"] else text

    def from_argument(self, argument: str) -> str:
        """A command-line argument as an input."""
        return argument


def one_text(text: str | Sequence[str]) -> str:
    """A text unchanged, or words joined by spaces; spaces within words become no-break spaces."""
    if isinstance(text, str):
        return text
    return " ".join(re.sub(r"\s", "\u00a0", word) for word in text)


def lowercase(text: str) -> str:
    """The text in lower case, with U+FFFD in place of NUL, as in training."""
    return text.replace("\0", "\ufffd").lower()
