"""Normalises texts to Unicode's composed form (NFC) with TensorFlow operations, so that a text is
the same however it was typed.

A character with a mark may be written as one code point or as two ("é", or "e" and U+0301); macOS
writes file names in the second way. TensorFlow has no operation for this except in
`tensorflow-text`, which would then be needed to load an exported model; so it is implemented here
with TensorFlow's own operations and tables from Python's `unicodedata`.

Source: Unicode Standard Annex 15; The Unicode Standard, sections 3.11 (canonical ordering and
composition) and 3.12 (Hangul syllables).
"""

import functools
import unicodedata
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

MAX_DECOMPOSED = 4
"""Maximum number of code points that one code point is decomposed into."""

SYLLABLES, LEADS, VOWELS, TRAILS = 0xAC00, 0x1100, 0x1161, 0x11A7
"""The first Hangul syllable, leading consonant and vowel, and the code point before the first
trailing consonant, which stands for none."""

VOWEL_COUNT, TRAIL_COUNT = 21, 28
SYLLABLE_COUNT = 19 * VOWEL_COUNT * TRAIL_COUNT

CODES = 0x110000
"""Number of code points; a pair (a, b) is represented by the number a * CODES + b."""

BLOCK = 256
"""Number of code points that are tested at once for the tables."""

LOWEST_MARK, HIGHEST_MARK = "\u0334", "\u0345"
"""Characters of the lowest combining class above 0, and of the highest."""

REPLACEMENT = "\ufffd"
"""The character that stands for one that cannot be represented."""

NONE = np.array([-1])
"""The position before the first code point, or the index before the first text."""


class _Tables(NamedTuple):
    """Properties of code points; the first column of each table is sorted, so that it can be
    searched.

    Attributes:
        classes: code points with a combining class other than 0, and these classes.
        decompositions: code points with a canonical decomposition, and their decompositions, up
            to `MAX_DECOMPOSED` code points each, padded with 0.
        compositions: pairs of code points, first * CODES + second, and their compositions.
        pattern: matches texts without a code point that normalisation may change.
    """

    classes: tuple[np.ndarray, np.ndarray]
    decompositions: tuple[np.ndarray, np.ndarray]
    compositions: tuple[np.ndarray, np.ndarray]
    pattern: str


@functools.cache
def _tables() -> _Tables:
    classes, decompositions, compositions = {}, {}, {}
    seconds = {*range(VOWELS, VOWELS + VOWEL_COUNT), *range(TRAILS + 1, TRAILS + TRAIL_COUNT)}
    for code in _changeable():
        character = chr(code)
        if unicodedata.combining(character):
            classes[code] = unicodedata.combining(character)
        decomposed = unicodedata.normalize("NFD", character)
        if decomposed == character:
            continue
        decompositions[code] = [ord(item) for item in decomposed.ljust(MAX_DECOMPOSED, "\0")]
        pair = [int(item, 16) for item in unicodedata.decomposition(character).split()]
        # Characters that are excluded from composition stay decomposed in NFC.
        if len(pair) == 2 and unicodedata.normalize("NFC", character) == character:
            compositions[pair[0] * CODES + pair[1]] = code
            seconds.add(pair[1])
    changed = {
        code for code in decompositions if unicodedata.normalize("NFC", chr(code)) != chr(code)
    }
    suspects = sorted(seconds | changed | classes.keys())
    return _Tables(
        _sorted(classes),
        _sorted(decompositions),
        _sorted(compositions),
        f"(?s)[^{''.join(_ranges(suspects))}]*",
    )


def _changeable() -> Iterator[int]:
    """The code points of all blocks in which normalisation may change any, without the Hangul
    syllables."""
    # Around a mark, one of these two would change places with it.
    between = np.array([ord(LOWEST_MARK), ord("a"), ord(HIGHEST_MARK)], "<u4")
    for start in range(0, CODES, BLOCK):
        codes = np.arange(start, start + BLOCK, dtype="<u4")[:, None]
        mixed = np.hstack([codes, np.broadcast_to(between, (BLOCK, 3))])
        text = HIGHEST_MARK + mixed.tobytes().decode("utf-32-le", "surrogatepass")
        if unicodedata.normalize("NFD", text) != text:
            for code in range(start, start + BLOCK):
                if not SYLLABLES <= code < SYLLABLES + SYLLABLE_COUNT:
                    yield code


def _sorted(table: dict[int, Any]) -> tuple[np.ndarray, np.ndarray]:
    keys = sorted(table)
    return np.array(keys, np.int64), np.array([table[key] for key in keys], np.int64)


def _ranges(codes: list[int]) -> list[str]:
    """Sorted code points as ranges for a regular expression."""
    ranges: list[list[int]] = []
    for code in codes:
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return [rf"\x{{{first:X}}}-\x{{{last:X}}}" for first, last in ranges]


def composed(texts: Any) -> Any:
    """Strings (batch,) in UTF-8 -> the same in Unicode normalisation form C.

    Texts that normalisation cannot change cost only the match of one regular expression. Outside of
    graphs, Python's `unicodedata` computes the same, without the tables, which take time to
    build.
    """
    if tf.executing_eagerly():
        try:
            results = [_composed_now(text) for text in np.asarray(texts)]
            return tf.constant(results, tf.string, [len(results)])
        except UnicodeDecodeError:
            pass  # the graph replaces what is not UTF-8
    plain = tf.strings.regex_full_match(texts, _tables().pattern)
    return tf.cond(tf.reduce_all(plain), lambda: texts, lambda: _some_composed(texts, plain))


def lowercase(texts: Any) -> Any:
    """Strings in UTF-8 -> the same in lower case, with U+FFFD in place of NUL, at which
    TensorFlow's operation would end a text."""
    texts = tf.strings.regex_replace(texts, r"\x00", REPLACEMENT)
    return tf.strings.lower(texts, encoding="utf-8")


def _composed_now(text: bytes) -> bytes:
    return unicodedata.normalize("NFC", text.decode()).encode()


# Traced once for all graphs that compose texts, because it is larger than the rest of most of them.
@tf.function(
    input_signature=[tf.TensorSpec((None,), tf.string), tf.TensorSpec((None,), tf.bool)],
    autograph=False,
)
def _some_composed(texts: Any, plain: Any) -> Any:
    """Strings (batch,), of which those that are not plain are composed."""
    changed = _all_composed(tf.boolean_mask(texts, ~plain))
    count = tf.size(texts)
    positions = tf.where(plain, tf.range(count), count - 1 + tf.cumsum(tf.cast(~plain, tf.int32)))
    return tf.gather(tf.concat([texts, changed], 0), positions)


def _all_composed(texts: Any) -> Any:
    decoded = tf.strings.unicode_decode(texts, "UTF-8")
    codes = tf.cast(decoded.flat_values, tf.int64)
    codes, rows = _decomposed(codes, decoded.value_rowids())
    codes, classes = _ordered(codes, rows)
    codes, rows = _pairs_composed(codes, classes, rows)
    ragged = tf.RaggedTensor.from_value_rowids(tf.cast(codes, tf.int32), rows, decoded.nrows())
    return tf.strings.unicode_encode(ragged, "UTF-8")


def _decomposed(codes: Any, rows: Any) -> tuple[Any, Any]:
    """Code points and the indices of their texts, (n,) each -> the same, decomposed, (m,) each."""
    keys, table = _tables().decompositions
    position, exists = _searched(codes, keys)
    unchanged = tf.pad(codes[:, None], [[0, 0], [0, MAX_DECOMPOSED - 1]])
    decomposed = tf.where(exists[:, None], tf.gather(tf.constant(table), position), unchanged)
    syllable = codes - SYLLABLES
    trail = syllable % TRAIL_COUNT
    letters = tf.stack(
        [
            LEADS + syllable // (VOWEL_COUNT * TRAIL_COUNT),
            VOWELS + syllable // TRAIL_COUNT % VOWEL_COUNT,
            tf.where(trail > 0, TRAILS + trail, 0),
            tf.zeros_like(codes),
        ],
        1,
    )
    hangul = (syllable >= 0) & (syllable < SYLLABLE_COUNT)
    decomposed = tf.where(hangul[:, None], letters, decomposed)
    # The first code point is kept even if it is 0, which a text may contain.
    kept = tf.concat([tf.ones_like(decomposed[:, :1], tf.bool), decomposed[:, 1:] > 0], 1)
    rows = tf.broadcast_to(rows[:, None], tf.shape(decomposed))
    return tf.boolean_mask(decomposed, kept), tf.boolean_mask(rows, kept)


def _ordered(codes: Any, rows: Any) -> tuple[Any, Any]:
    """Code points (n,) and the indices of their texts -> the code points with the marks of each
    character in the order of their combining classes, and these classes."""
    keys, table = _tables().classes
    position, exists = _searched(codes, keys)
    classes = tf.where(exists, tf.gather(tf.constant(table), position), 0)
    begins = (classes == 0) | (rows != tf.concat([NONE, rows[:-1]], 0))
    character = tf.cumsum(tf.cast(begins, tf.int64))
    order = tf.argsort(character * 256 + classes, stable=True)
    return tf.gather(codes, order), tf.gather(classes, order)


def _pairs_composed(codes: Any, classes: Any, rows: Any) -> tuple[Any, Any]:
    """Decomposed code points in order, and the indices of their texts -> the same, composed.

    In each round every character is composed with the first following code point that it can be
    composed with and that is not blocked; marks before that one are not tried again. The number of
    rounds is the largest number of code points that a character is composed with, plus one.
    """
    keys, table = _tables().compositions

    def composable(first: Any, second: Any) -> tuple[Any, Any]:
        position, exists = _searched(first * CODES + second, keys)
        pair = tf.gather(tf.constant(table), position)
        lead, vowel = first - LEADS, second - VOWELS
        syllable_of_pair = SYLLABLES + (lead * VOWEL_COUNT + vowel) * TRAIL_COUNT
        open_ = (lead >= 0) & (lead < 19) & (vowel >= 0) & (vowel < VOWEL_COUNT)
        syllable, trail = first - SYLLABLES, second - TRAILS
        closed = (syllable >= 0) & (syllable < SYLLABLE_COUNT) & (syllable % TRAIL_COUNT == 0)
        closed &= (trail > 0) & (trail < TRAIL_COUNT)
        pair = tf.where(open_, syllable_of_pair, tf.where(closed, first + trail, pair))
        return pair, exists | open_ | closed

    def round_(codes: Any, classes: Any, rows: Any, passed: Any, positions: Any, _: Any) -> tuple:
        # `positions` are those of the code points before the first round; `passed` is the
        # position up to which a character has been composed.
        count = tf.size(codes, tf.int64)
        here = tf.range(count)
        starter = _starters(classes)
        behind = tf.maximum(starter, 0)
        pair, fits = composable(tf.gather(codes, behind), codes)
        free = here - 1 == starter
        free |= tf.gather(classes, tf.maximum(here - 1, 0)) < classes
        fits &= (starter >= 0) & (tf.gather(rows, behind) == rows) & free
        fits &= positions > tf.gather(passed, behind)
        # A code point that is composed with a previous one is not composed with a following one in
        # this round.
        fits &= ~(tf.gather(fits, behind) & (starter >= 0))
        first = tf.math.unsorted_segment_min(
            tf.where(fits, here, count), tf.where(fits, starter, -1), count
        )
        takes = first < count
        taken = tf.minimum(first, count - 1)
        kept = ~fits | (tf.gather(first, behind) != here)
        codes = tf.where(takes, tf.gather(pair, taken), codes)
        passed = tf.where(takes, tf.gather(positions, taken), passed)
        values = (tf.boolean_mask(item, kept) for item in (codes, classes, rows, passed, positions))
        return *values, tf.reduce_any(takes)

    positions = tf.range(tf.size(codes, tf.int64))
    start = (codes, classes, rows, -tf.ones_like(positions), positions)
    free = (*[tf.TensorShape([None])] * 5, tf.TensorShape([]))
    codes, _, rows, *_ = tf.while_loop(
        lambda *state: state[-1], round_, (*start, tf.constant(True)), shape_invariants=free
    )
    return codes, rows


def _starters(classes: Any) -> Any:
    """Combining classes (n,) -> for each code point, the position of the last code point before it
    that is not a mark; -1 for none."""
    starts = tf.where(classes == 0)[:, 0]
    before = tf.cumsum(tf.cast(classes == 0, tf.int64), exclusive=True)
    return tf.gather(tf.concat([NONE, starts], 0), before)


def _searched(values: Any, keys: np.ndarray) -> tuple[Any, Any]:
    """The positions of values among sorted keys, and whether they are among them."""
    sorted_keys = tf.constant(keys)
    position = tf.minimum(tf.searchsorted(sorted_keys, values), len(keys) - 1)
    return position, tf.gather(sorted_keys, position) == values
