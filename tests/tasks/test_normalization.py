"""The composed form of texts in the graph against Python's, over all of Unicode."""

import sys
import unicodedata

import numpy as np
import pytest
import tensorflow as tf

from seqzoo.tasks.preprocessing.normalization import _tables, composed

EVERY = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]


@pytest.fixture(scope="module")
def run():
    spec = tf.TensorSpec((None,), tf.string)
    return tf.function(composed, input_signature=[spec], autograph=False)


def found(run, texts: list[str]) -> list[str]:
    encoded = tf.constant([text.encode() for text in texts], tf.string)
    return [text.decode() for text in run(encoded).numpy()]


def nfc(texts: list[str]) -> list[str]:
    return [unicodedata.normalize("NFC", text) for text in texts]


@pytest.mark.slow
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_every_character(run, form) -> None:
    whole = "".join(unicodedata.normalize(form, item) + " " for item in EVERY)
    assert found(run, [whole]) == nfc([whole])


def test_every_pair_that_is_composed(run) -> None:
    codes = _tables().compositions[0]
    assert len(codes) > 900
    pairs = [chr(code // 0x110000) + chr(code % 0x110000) for code in codes]
    assert found(run, pairs) == [chr(code) for code in _tables().compositions[1]]


def test_random_texts_of_hard_characters(run) -> None:
    draw = np.random.default_rng(0)
    marks = [item for item in EVERY if unicodedata.combining(item)]
    changed = [item for item in EVERY if unicodedata.normalize("NFD", item) != item]
    apart = [part for item in changed for part in unicodedata.normalize("NFD", item)]
    hangul = [*map(chr, range(0x1100, 0x1113)), *map(chr, range(0x1161, 0x11C3))]
    usual = [*"aeiouAEOncszEI \n=<\0", "\u0301", "\u0323", "\u0308", "\u0327", "한", "각", "か"]
    pools = [marks, changed, apart, hangul, usual, usual, usual]

    def character() -> str:
        # By index: `choice` would make an array of thousands of texts each time.
        pool = pools[draw.integers(len(pools))]
        return pool[draw.integers(len(pool))]

    lengths = draw.integers(0, 12, 20_000)
    texts = ["".join(character() for _ in range(length)) for length in lengths]
    assert sum(a != b for a, b in zip(texts, nfc(texts), strict=True)) > 3_000
    assert found(run, texts) == nfc(texts)


def test_plain_texts_are_left_alone(run) -> None:
    texts = ["", "Zuid-Korea", "é", "한국", "日本語", "\u2028", "🙂", "\ufeff"]
    pattern = _tables().pattern
    assert tf.strings.regex_full_match(texts, pattern).numpy().all()
    assert found(run, texts) == texts and found(run, []) == []
    assert found(run, ["a", "e\u0301", "b"]) == ["a", "é", "b"]
