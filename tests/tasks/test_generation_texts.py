"""Texts as targets: ids with an end and back, and scores that do not depend on spaces."""

import numpy as np
import pytest
import tensorflow as tf

from seqzoo.tasks import Examples, SeqzooError
from seqzoo.tasks.preprocessing.vocabulary import UNKNOWN
from seqzoo.tasks.seq2seq.text_metrics import scores_of
from seqzoo.tasks.targets.texts import END, TextChoices, Texts

SENTENCES = ["Yes, sir. (It is!)", "a man: medium-light skin tone, bald", "don't go; stay", ""]


def texts(kind: str, **choices) -> Texts:
    choices = {"lowercase": False, "vocabulary_size": 99, "minimum_count": 1, **choices}
    learnt = Texts.learn(TextChoices(kind, **choices), SENTENCES, list("abcd"))
    return Texts(learnt.choices, learnt.vocabulary, **learnt.to_config())


@pytest.mark.parametrize("kind", ["characters", "words"])
def test_what_is_encoded_is_joined_again(kind: str) -> None:
    own = texts(kind)
    encoded = own.encode(SENTENCES, list("abcd"))
    assert own.longest == max(encoded.lengths) - 1
    for index, sentence in enumerate(SENTENCES):
        ids = encoded[index]
        assert ids[-1] == END and END not in ids[:-1] and UNKNOWN not in ids
        joined = own.join(tf.constant(ids[None, :]), tf.constant([len(ids) - 1]))
        assert joined.numpy()[0].decode() == sentence


def test_signs_of_start_and_end_in_a_text_are_no_tokens() -> None:
    own = texts("characters")
    (ids,) = own.encode(["a\x03\x02n"], ["a"])
    assert ids.tolist() == own.encode(["an"], ["a"])[0].tolist()


def test_unknown_words_do_not_match_each_other() -> None:
    own = texts("words")
    examples = Examples(["1", "2", "3"], ["Yes , sir .", "never seen", "a man"])
    figures = scores_of(["Yes, sir.", "other words", "a man"], examples, own.tokens)
    assert figures["exact_match"] == pytest.approx(2 / 3)
    assert figures["token_error"] == pytest.approx(2 / 8)
    assert figures["samples"][1] == {"input": "2", "answer": "other words", "truth": "never seen"}


def test_images_are_one_input_where_their_numbers_are_equal() -> None:
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)
    examples = Examples([image, image.copy(), image + 1], ["a man", "a bald man", "go"])
    figures = scores_of(["a bald man", "a bald man", "stay"], examples, texts("words").tokens)
    assert figures["inputs"] == 2 and figures["exact_match"] == 0.5
    assert figures["samples"][0]["truth"] == "a man | a bald man"


def test_targets_without_a_frequent_token() -> None:
    with pytest.raises(SeqzooError, match="no token that occurs often enough"):
        Texts.learn(TextChoices("words", False, 99, 9), SENTENCES, list("abcd"))
