"""Sentences and their tags as tensors: words, their characters, allowed transitions."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tagging_data import sentences, tagger

from seqzoo.tasks import Examples, SeqzooError
from seqzoo.tasks.preprocessing import tagged_words as tokens
from seqzoo.tasks.preprocessing.tagged_words import WORD_CHARACTERS, TokenFeatures
from seqzoo.tasks.preprocessing.vocabulary import Vocabulary
from seqzoo.tasks.runs.interlinear import columns, interlinear
from seqzoo.tasks.targets.tags import Tags


def _features(examples: Examples, **choices) -> Any:
    return TokenFeatures.learn(tagger(**choices), examples)


def test_words_and_their_characters_against_python() -> None:
    long = "https://ex.org/a/very/long/addréss"
    inputs = [["Ab", "a b", long, "ab"], ["ß", "Ab"], ["İs"]]
    features = _features(Examples(inputs), characters=3, minimum_count=1, lowercase=True)
    assert set(features.vocabulary.tokens) == {"ab", "a\u00a0b", long, "ß", "i̇s"}
    values, lengths = features.transform(*features.raw(inputs, "abc"))
    assert features.characters is not None
    assert lengths.numpy().tolist() == [4, 2, 1] and values.shape == (3, 4, 1 + WORD_CHARACTERS)
    known = features.vocabulary.tokens, features.characters.tokens
    for row, words in zip(values.numpy(), inputs, strict=True):
        assert not row[len(words) :].any()
        for ids, word in zip(row, words, strict=False):
            word = word.replace(" ", "\u00a0")
            lower = "i̇s" if word == "İs" else word.lower()
            assert known[0][ids[0] - 2] == lower
            read = word if len(word) <= WORD_CHARACTERS else word[:10] + word[-10:]
            assert "".join(known[1][one - 2] for one in ids[1:] if one) == read
            assert not ids[1 + len(read) :].any()


@pytest.mark.slow
def test_unknown_words_keep_their_characters() -> None:
    features = _features(Examples([["ab", "ab", "ba"]]), characters=1)
    assert features.vocabulary.tokens == ["ab"]
    values, _ = features.transform(tf.constant(["ba x ab"]))
    assert features.characters is not None
    b, a = (features.characters.tokens.index(c) + 2 for c in "ba")
    assert values[0, :, 0].numpy().tolist() == [1, 1, 2]
    assert values[0, :, 1:3].numpy().tolist() == [[b, a], [1, 0], [a, b]]


def test_a_string_is_split_at_spaces_but_not_at_those_that_do_not_break() -> None:
    features = _features(Examples([["a"]]))
    text = " a\tb\u3000c\u00a0d  e\u202ff\n"
    (row,) = features.split(*features.raw([text], ["x"])).to_list()
    assert [token.decode() for token in row] == ["a", "b", "c\u00a0d", "e\u202ff"]
    (row,) = features.split(*features.raw([["c d", "e\nf", "\u2003"]], ["x"])).to_list()
    assert [token.decode() for token in row] == ["c\u00a0d", "e\u00a0f", "\u00a0"]


def test_characters_stay_one_step_each_in_lower_case() -> None:
    features = _features(Examples(["aİ\nA𝄞"]), input="characters", lowercase=True, minimum_count=1)
    values, lengths = features.transform(tf.constant(["aİ\nA𝄞", "𝄞"]))
    assert lengths.numpy().tolist() == [5, 1]
    assert [features.vocabulary.tokens[one - 2] for one in values[0]] == ["a", "i̇", "\n", "a", "𝄞"]


@pytest.mark.parametrize(
    "inputs, message",
    [
        ([["a"], ["b", 3]], "words of at least one character, but example 1 has 3"),
        ([["a"], ["b", ""]], "example 1 has ''"),
        ([["a"], 5], "example 1 has 5"),
        ([["a"], []], "at least one step, but example 1 has none"),
        ([["a"], " \n"], "at least one step, but example 1 has none"),
        ([["a"], ["\udc80"]], "example 1 is not Unicode text"),
    ],
)
def test_values_that_are_not_sentences(inputs, message) -> None:
    features = _features(Examples([["a"]]))
    with pytest.raises(SeqzooError, match=message):
        features.encode(Examples(inputs))


def test_an_empty_sentence_has_a_step_to_run() -> None:
    features = _features(sentences(5, 0), characters=2)
    values, lengths = features.transform(tf.constant(["", " "]))
    assert values.shape == (2, 1, 1 + WORD_CHARACTERS) and not lengths.numpy().any()
    assert features.tokens(tf.constant([""])).numpy().tolist() == [[b""]]


def test_learning_from_no_examples() -> None:
    features = _features(Examples([[], " "]), lowercase=True, characters=2)
    assert features.vocabulary.tokens == features.characters.tokens == []


def test_vocabularies_rebuild_features() -> None:
    features = _features(sentences(9, 0), characters=2)
    assert features.characters is not None
    known = {
        tokens.WORD: Vocabulary(features.vocabulary.tokens),
        tokens.CHARACTERS: Vocabulary(features.characters.tokens),
    }
    again = TokenFeatures.from_config(features.template, features.to_config(), known)
    text = tf.constant(sentences(1, 3).inputs[0])
    np.testing.assert_array_equal(again.transform(text)[0], features.transform(text)[0])


def test_tags_to_ids() -> None:
    examples = Examples(["..."] * 3, [["b", "a"], ("c",), "a  b c"], lines=[4, 6, 9])
    tags = Tags.learn(examples)
    assert (tags.names, tags.entities, tags.constraints) == (["a", "b", "c"], False, None)
    encoded = tags.encode(examples, np.array([2, 1, 3]))
    assert encoded.flat.tolist() == [1, 0, 2, 0, 1, 2] and encoded.lengths.tolist() == [2, 1, 3]
    with pytest.raises(SeqzooError, match=r"line 9 has 4 steps and 3 tags"):
        tags.encode(examples, np.array([2, 1, 4]))
    with pytest.raises(SeqzooError, match=r"line 7 has the label 'd', .*a, b, c"):
        tags.encode(Examples([*".."], ["a", ["b", "d"]], [1, 7]), np.array([1, 2]))


@pytest.mark.parametrize(
    "targets, message",
    [
        (None, "Training and evaluation need targets"),
        ([["a"], 3], "Tags must be .* example 1 has 3"),
        ([["a"], ["b", 3]], "Tags must be .* example 1 has"),
        ([["a"], ["a", "a"]], r"two tags are needed, but the training examples have only \['a'\]"),
        ([["a"]], "one target per input"),
    ],
)
def test_values_that_are_not_tags(targets, message) -> None:
    with pytest.raises(SeqzooError, match=message):
        Tags.learn(Examples(["x", "y"], targets))


@pytest.mark.parametrize("names", ["A B-x O", "B-x O X", "B E M S", "B-x O [SEP]", "O B N"])
def test_tags_are_entities_only_if_all_are_those_of_bio(names) -> None:
    tags = Tags.learn(Examples([*".."], [names.split()] * 2))
    assert not tags.entities and tags.constraints is None


def test_entities_are_constrained_if_all_training_tags_are_well_formed() -> None:
    well = [["B-x", "I-x", "O"], ["O", "B-x"]]
    tags = Tags.learn(Examples([*".."], well))
    assert tags.entities and tags.constraints is not None
    # IOB1: an I begins an entity.
    loose = Tags.learn(Examples([*".."], [*well[:1], ["O", "I-x"]]))
    assert loose.entities and loose.constraints is None
    bad = Examples([*".."], [["O"], ["B-x", "O", "I-x"]])
    with pytest.raises(
        SeqzooError, match="example 1 has 'I-x' at step 3, which is not allowed there"
    ):
        tags.check(tags.encode(bad, np.array([1, 3])), bad)
    loose.check(loose.encode(bad, np.array([1, 3])), bad)
    closed = Tags.learn(Examples([*".."], [["B-x", "I-x", "E-x"], ["S-x", "O"]]))
    bad = Examples([*"."], [["O", "B-x", "I-x"]])
    with pytest.raises(SeqzooError, match="'I-x' at step 3"):
        closed.check(closed.encode(bad, np.array([3])), bad)


def test_interlinear() -> None:
    words, tags = ["The", "dog", "barks"], ["DET", "NOUN", "NOUN"]
    assert interlinear(words, tags) == "The  dog   barks\nDET  NOUN  NOUN"
    assert interlinear(words, tags, ["DET", "NOUN", "VERB"]) == (
        "The  dog   barks\nDET  NOUN  NOUN\n           VERB"
    )
    assert interlinear(words, tags, tags, width=10) == "The  dog\nDET  NOUN\n\nbarks\nNOUN"
    assert interlinear(["a", "\n", " "], "xyz") == "a  \\n  ␣\nx  y   z"
    lines = interlinear(["日本", "e\u0301", "c"], ["A", "B", "C"]).split("\n")
    assert [columns(line) for line in lines] == [10, 10] and columns("日本e\u0301") == 5
    assert interlinear([], []) == ""
    with pytest.raises(ValueError):
        interlinear(words, tags[:2])
