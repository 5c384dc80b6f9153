"""Sentences as people type them are split into words like a tagger's training data."""

from types import SimpleNamespace

import pytest

from seqzoo.tasks.preprocessing.raw_sentences import SentenceSplitter
from seqzoo.tasks.preprocessing.tagged_words import TokenFeatures
from seqzoo.tasks.preprocessing.vocabulary import Vocabulary
from seqzoo.tasks.preprocessing.word_vectors import WordVectors

FRENCH = "l' d' qu' n' c' aujourd'hui homme il est -t-il -il va , . ? ! « » arbre ( )".split()
ENGLISH = "do n't the it 's it's U.S. dog , . ? \" ( ) can ca I 'm ... '".split()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("L’homme qu'il aime, aujourd'hui.", "L' homme qu' il aime , aujourd'hui ."),
        ("Va-t-il bien ?", "Va -t-il bien ?"),
        ("« Est-il là ? »", "« Est -il là ? »"),
        ("C'est l'arbre d'Anne !", "C' est l' arbre d' Anne !"),
        ("(c'est peut-être l'arbre)", "( c' est peut-être l' arbre )"),
        ("l' homme est là .", "l' homme est là ."),
    ],
)
def test_french(text: str, words: str) -> None:
    # Where training has a form of the apostrophe, words get it.
    assert " ".join(SentenceSplitter(FRENCH)(text)).replace("’", "'") == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I don't think the U.S. can't.", "I do n't think the U.S. ca n't ."),
        # Known as a whole, but rarer than its parts.
        ("It's the dog's, \"really\"...", "It 's the dog 's , \" really \" ..."),
        ("(I'm sure)...", "( I 'm sure ) ..."),
        ("the dogs' 3,5", "the dogs ' 3,5"),
        ("it's done .", "it's done ."),
    ],
)
def test_english(text: str, words: str) -> None:
    assert " ".join(SentenceSplitter(ENGLISH)(text)) == words


def test_emoji_of_several_characters_are_not_split() -> None:
    split = SentenceSplitter(["now", "👩", "👧", "❤️", "👍🏽", "🇩🇪", ",", "."])
    assert split("👩‍👧 now👩👧, now👩‍👧.") == ("👩‍👧", "now", "👩", "👧", ",", "now👩‍👧", ".")
    assert split("now❤️👩‍❤️ now👍🏽👍. 🇩🇪now🇫🇷🇩🇪") == (
        *("now❤️👩‍❤️", "now👍🏽👍", ".", "🇩🇪", "now🇫🇷", "🇩🇪"),
    )
    assert split("👩🏽now") == ("👩🏽now",)


def test_underscores_are_signs() -> None:
    words = ["_x", "_", "foo", "is", ","]
    assert SentenceSplitter(words).signs == {"_", ","}
    assert SentenceSplitter(words)("_foo_ is, __init__") == (
        *("_", "foo", "_", "is", ",", "_", "_", "init", "_", "_"),
    )
    assert SentenceSplitter(["foo", ","])("_foo_, a_b") == ("_foo_", ",", "a_b")


def test_the_longest_contractions_are_split() -> None:
    """Of seven characters at either end, also where training has the word in one piece as well."""
    parts, joined = ["lorsqu'", "il", "-il-lui", "dit", ","], ["lorsqu'il", "dit-il-lui"]
    split = ("lorsqu'", "il", "dit", "-il-lui")
    assert SentenceSplitter(parts)("lorsqu'il dit-il-lui") == split
    assert SentenceSplitter([*parts, *joined])("lorsqu'il dit-il-lui") == split
    assert SentenceSplitter([*joined, *parts])("lorsqu'il dit-il-lui") == tuple(joined)


def test_data_without_punctuation_are_reported() -> None:
    splitter = SentenceSplitter(["homme", "l'"])
    assert splitter("L'homme, là.") == ("L'homme,", "là.")
    assert "only at whitespace" in splitter.remark and not SentenceSplitter(FRENCH).remark


def test_words_of_vectors_do_not_count_as_training_words() -> None:
    template = SimpleNamespace(input="words", lowercase=False)
    vocabulary = Vocabulary(["the", ",", "."])
    features = TokenFeatures(template, vocabulary, vectors=WordVectors(3, 2, 1.0))
    assert features.splitter.remark and features.words("the,x.") == ("the,x.",)
    features = TokenFeatures(template, vocabulary)
    assert features.words("the,x.") == ("the,x", ".")
    assert features.words(["the,x."]) == ["the,x."]  # words are not split


@pytest.mark.parametrize("text", ["(" * 5000 + "a", "'s" * 5000, "a" + "(" * 5000, "'" * 5000])
def test_long_words_of_signs_are_split_quickly(text: str) -> None:
    assert "".join(SentenceSplitter(ENGLISH)(text)) == text
