"""Words with joiners where there was no space, so that the original text can be restored.

A word is a run of letters, marks, digits and inner apostrophes; every other character is a separate
word, as in `split_words`. Punctuation directly next to another word carries a joiner on that side:

    3.5 km (net), it's  ->  3  |.|  5  km  (|  net  |)  |,  it's        where | is the joiner

Words of letters carry no joiners, so that "net" is the same token everywhere; between two
punctuation marks the second one carries the joiner. Source: the joiners of OpenNMT's Tokenizer,
"conservative" mode.
"""

from typing import Any

import tensorflow as tf

JOINER = "\x08"
"""The backspace character, which removes the space next to it; it is first removed from texts."""

SPACES = r"[\t-\r\x1c-\x1f\x{85}\pZ]+"
"""Whitespace of any kind, as in Python's `str.split`."""

LETTERS = r"\pL\pM\pN"


def single_spaced(texts: Any) -> Any:
    """Strings -> the same with a single space for each run of whitespace, and none at the ends."""
    return tf.strings.strip(tf.strings.regex_replace(texts, SPACES, " "))


def split_joined_words(texts: Any) -> Any:
    """Strings (batch,) -> words with joiners, ragged (batch, words).

    `join_words` restores the strings, except that whitespace is collapsed as in `single_spaced` and
    that backspaces are lost.
    """
    texts = single_spaced(tf.strings.regex_replace(texts, JOINER, ""))
    for pattern, replacement in (
        # A joiner at each end of a word, except at the ends of the text.
        (rf"([^{LETTERS} '’])", rf"{JOINER}\1{JOINER}"),
        (rf"(^|[ {JOINER}])(['’]+)", rf"\1\2{JOINER}"),
        (rf"(['’]+)($|[ {JOINER}])", rf"{JOINER}\1\2"),
        # No joiner next to a space, and only one between two words.
        (rf"{JOINER}* {JOINER}*", " "),
        (rf"^{JOINER}+|{JOINER}+$", ""),
        (rf"{JOINER}+", JOINER),
        # A joiner belongs to the punctuation mark after it, or else to the one before it.
        (rf"{JOINER}([{LETTERS}])", rf"{JOINER} \1"),
        (rf"{JOINER}([^ ])", rf" {JOINER}\1"),
    ):
        texts = tf.strings.regex_replace(texts, pattern, replacement)
    return tf.strings.split(texts)


def join_words(words: Any) -> Any:
    """Words with joiners (..., time), "" for none -> strings (...), each preceded by a space unless
    its first word is joined to the text before it."""
    texts = tf.strings.reduce_join(tf.where(words == "", "", " " + words), -1)
    texts = tf.strings.regex_replace(texts, f"{JOINER} {JOINER}?| {JOINER}", "")
    return tf.strings.regex_replace(texts, JOINER, "")
