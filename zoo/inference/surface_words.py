"""The words that a tagger read, as they were typed."""

import unicodedata
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

APOSTROPHES = str.maketrans("’", "'")
"""Characters that a tagger may have replaced by those of its training data."""

MAX_DECOMPOSED = 4
"""Maximum number of code points that one code point is decomposed into."""


def surface_words(value: Any, words: Sequence[str] | None) -> Sequence[tuple[str, bool]] | None:
    """Each word as it is spelled in a text, and whether whitespace or the end follows it.

    Args:
        value: the input of a tagger: a text, or a list of words; or several inputs by name, the
            first of which is tagged.
        words: the words that the tagger read, which may be composed otherwise than in the text or
            have other apostrophes; None if it does not read words.

    Returns:
        The words of the input, with whitespace after each, if it is a list of as many words; the
        words as read if it has others; None if `words` is None.
    """
    if words is None:
        return None
    if isinstance(value, Mapping):
        value = next(iter(value.values()))
    if isinstance(value, list | tuple) and len(value) == len(words):
        return [(word, True) for word in value]
    text = value if isinstance(value, str) else ""
    results, position = [], 0
    for word in words:
        while position < len(text) and text[position].isspace():
            position += 1
        end = _end(text, position, _plain(word))
        if end is None:
            return [(each, True) for each in words]
        results.append((text[position:end], end == len(text) or text[end].isspace()))
        position = end
    return results


def _end(text: str, start: int, word: str) -> int | None:
    """Where a plain word that begins at a position of a text ends; None if it is not there."""
    ends = range(start + 1, min(len(text), start + MAX_DECOMPOSED * len(word)) + 1)
    shortest = bisect_left(ends, len(word), key=lambda end: len(_plain(text[start:end])))
    for end in ends[shortest:]:
        spelled = _plain(text[start:end])
        if spelled == word:
            return end
        if len(spelled) > len(word):
            break
    return None


def _plain(word: str) -> str:
    return unicodedata.normalize("NFC", word).translate(APOSTROPHES)
