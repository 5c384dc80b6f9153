"""The words that a tagger read, as they were typed."""

import unicodedata
from collections.abc import Sequence
from typing import Any

APOSTROPHES = str.maketrans("’", "'")
"""Characters that a tagger may have replaced by those of its training data."""


def surface_words(text: Any, words: Sequence[str] | None) -> Sequence[tuple[str, bool]] | None:
    """Each word as it is spelled in a text, and whether whitespace or the end follows it.

    Args:
        text: the input of a tagger: a text, or a list of words.
        words: the words that the tagger read; None if it does not read words.

    Returns:
        The words as read, with whitespace after each, if `text` is a list of words, or has other
        words; None if `words` is None.
    """
    if words is None:
        return None
    results, position = [], 0
    whole = unicodedata.normalize("NFC", text) if isinstance(text, str) else ""
    for word in words:
        word = unicodedata.normalize("NFC", word)
        while position < len(whole) and whole[position].isspace():
            position += 1
        end = position + len(word)
        typed = whole[position:end]
        if typed.translate(APOSTROPHES) != word.translate(APOSTROPHES):
            return [(each, True) for each in words]
        results.append((typed, end == len(whole) or whole[end].isspace()))
        position = end
    return results
