"""Texts as targets: to ids with an end and back unchanged, and their scores."""

import math

import numpy as np
import pytest
import tensorflow as tf

from seqzoo.tasks import Examples, SeqzooError
from seqzoo.tasks.preprocessing.vocabulary import SPECIAL, UNKNOWN, Vocabulary
from seqzoo.tasks.preprocessing.word_joiners import JOINER, join_words, split_joined_words
from seqzoo.tasks.seq2seq.task import text_predictions
from seqzoo.tasks.seq2seq.text_metrics import scores_of
from seqzoo.tasks.targets.texts import END, TextOptions, Texts

SENTENCES = ["Yes, sir. (It is!)", "a man: medium-light skin tone, bald", "don't go; stay", ""]


def texts(kind: str, **choices) -> Texts:
    choices = {"lowercase": False, "vocabulary_size": 99, "minimum_count": 1, **choices}
    learned = Texts.learn(TextOptions(kind, **choices), SENTENCES, list("abcd"))
    return Texts(learned.choices, learned.vocabulary, **learned.to_config())


@pytest.mark.parametrize("kind", ["characters", "words"])
def test_encoded_texts_are_joined_again(kind: str) -> None:
    targets = texts(kind)
    encoded = targets.encode(SENTENCES, list("abcd"))
    assert targets.longest == max(encoded.lengths) - 1
    for index, sentence in enumerate(SENTENCES):
        ids = encoded[index]
        assert ids[-1] == END and END not in ids[:-1] and UNKNOWN not in ids
        joined = targets.join(tf.constant(ids[None, :]), tf.constant([len(ids) - 1]))
        assert joined.numpy()[0].decode() == sentence


WRITTEN = [
    *["50% off", "$5 now", "me@home.ch wrote", "3.5 km", "1,000 men", 'the "big" one', "#tag here"],
    *["<b>bold</b>", "C++ code", "a/b c", "don't go", "well-known man", "it's 10:30", "(yes) no"],
    *["a - b", "'tis the dogs' 'n' cats''", "('quoted') l’été. 'a.' 'b'", "... -- ?! (([x]))"],
    *[
        "Wait , what ?",
        "naïve_x हिन्दी你好。",
        "👩‍🚀👍🏽 ok",
        "http://x.ch/?a=1&b=2#c",
        "'",
        "' '",
        "- '-' -",
    ],
]
"""Texts whose spaces do not follow from their words and punctuation."""


@pytest.mark.parametrize("kind", ["characters", "words"])
def test_texts_come_back_as_they_were_written(kind: str) -> None:
    targets = Texts.learn(TextOptions(kind, False, 999, 1), WRITTEN, WRITTEN)
    targets = Texts(targets.choices, targets.vocabulary, **targets.to_config())
    encoded = targets.encode(WRITTEN, WRITTEN)
    for index, text in enumerate(WRITTEN):
        ids = tf.constant(encoded[index][None, :-1])
        assert targets.join(ids, tf.constant([ids.shape[1]])).numpy()[0].decode() == text


def test_any_characters_come_back_with_single_spaces() -> None:
    random = np.random.default_rng(4)
    signs = [*"ab1'’.,-()\"@_é😀", "\u0301", " ", " ", "  ", "\t", "\n", "\u00a0", "\u3000", "\x85"]
    written = ["".join(random.choice(signs, random.integers(0, 12))) for _ in range(3000)]
    words = split_joined_words(tf.constant(written))
    back = [text.decode() for text in tf.strings.strip(join_words(words.to_tensor(""))).numpy()]
    assert back == [" ".join(text.split()) for text in written]


def test_words_of_letters_are_one_token_in_any_position() -> None:
    (words,) = split_joined_words(tf.constant(["3.5 km (net), it's well-known"])).to_list()
    marked = [word.decode().replace(JOINER, "|") for word in words]
    assert marked == [
        "3",
        "|.|",
        "5",
        "km",
        "(|",
        "net",
        "|)",
        "|,",
        "it's",
        "well",
        "|-|",
        "known",
    ]


def test_a_continuation_begins_with_its_own_space() -> None:
    targets = texts("words")
    comma = targets.vocabulary.tokens.index(JOINER + ",") + SPECIAL
    (sir,) = targets.encode(["sir"], ["a"])[0][:-1]
    for ids, behind in (([sir, comma, sir], " sir, sir"), ([comma, sir, 0], ", sir")):
        joined = targets.join(tf.constant([ids]), tf.constant([3]), continues=True)
        assert joined.numpy()[0].decode() == behind


def test_runs_from_before_joiners_predict_as_before() -> None:
    tokens = ["\x02", "\x03", "Well", "-", "known", ",", "sir", "3", ".", "5"]
    targets = Texts(TextOptions("words", False, 99, 1), Vocabulary(tokens), **{"longest": 9})
    ids = targets.encode(["Well-known, sir 3.5"], ["a"])[0]
    assert ids.tolist() == [4, 5, 6, 7, 8, 9, 10, 11, END]
    text = targets.join(tf.constant(ids[None]), tf.constant([8])).numpy()[0].decode()
    assert text == "Well-known, sir 3. 5"
    assert (
        targets.to_config() == {"longest": 9, "tokenization": 1} and not targets.starts_with_space
    )


@pytest.mark.parametrize("kind", ["words", "subwords"])
def test_exact_match_compares_what_a_person_reads(kind: str) -> None:
    targets = Texts(TextOptions(kind, False, 99, 1), Vocabulary(["\x02", "\x03", "a"]), 9, 1)
    examples = Examples(["1", "2", "3", "4"], ["3.5 km", "it's 10:30", "a  b ", "Ab"])
    metrics = scores_of(["3. 5 km", "it's 10:30", "a b", "ab"], examples, targets.tokens)
    assert metrics["exact_match"] == 2 / 4
    # "3. 5" has two wrong tokens of 4 (".", and so not "." joined to both), "ab" one.
    assert metrics["token_error"] == pytest.approx((1 + 1) / (4 + 4 + 2 + 1))


def test_start_and_end_characters_in_a_text_are_not_tokens() -> None:
    targets = texts("characters")
    (ids,) = targets.encode(["a\x03\x02n"], ["a"])
    assert ids.tolist() == targets.encode(["an"], ["a"])[0].tolist()


def test_unknown_words_do_not_match_each_other() -> None:
    targets = texts("words")
    examples = Examples(["1", "2", "3"], ["Yes, sir.", "never seen", "a man"])
    metrics = scores_of(["Yes, sir.", "other words", "a man"], examples, targets.tokens)
    assert metrics["exact_match"] == pytest.approx(2 / 3)
    assert metrics["token_error"] == pytest.approx(2 / 8)
    assert metrics["samples"][1] == {"input": "2", "answer": "other words", "truth": "never seen"}


def test_images_with_equal_numbers_are_one_input() -> None:
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)
    examples = Examples([image, image.copy(), image + 1], ["a man", "a bald man", "go"])
    metrics = scores_of(["a bald man", "a bald man", "stay"], examples, texts("words").tokens)
    assert metrics["inputs"] == 2 and metrics["exact_match"] == 0.5
    assert metrics["samples"][0]["truth"] == "a man | a bald man"


def test_targets_without_a_frequent_token() -> None:
    with pytest.raises(SeqzooError, match="no token that occurs often enough"):
        Texts.learn(TextOptions("words", False, 99, 9), SENTENCES, list("abcd"))


def test_n_grams_are_scored_where_most_texts_have_several_words() -> None:
    def names(targets: list[str]) -> set[str]:
        inputs = [str(index) for index in range(len(targets))]
        examples = Examples(inputs, targets)
        return set(scores_of(targets, examples, lambda item: [text.split() for text in item]))

    assert "bleu_4" not in names(["one", "two", "New York"])
    assert {"bleu_4", "chrf"} <= names(["one", "two words", "three more words"])


def test_probabilities_of_long_texts_are_below_those_of_float32() -> None:
    results = {
        "texts": [np.array([b"a b c"], object)],
        "log_probabilities": [np.array([-300.0], np.float32)],
        "token_probabilities": [np.array([0.1], np.float32)],
    }
    (prediction,) = text_predictions(results)
    assert prediction.probability == pytest.approx(math.exp(-300.0), abs=0.0)
