"""Lemmas with morphological features: one step per feature, followed by one step per character."""

from typing import Any

import tensorflow as tf

from seqzoo.tasks.preprocessing.text import TextFeatures, split_characters
from seqzoo.tasks.preprocessing.vocabulary import SPECIAL

FEATURE = ";"
"""Prefix of the tokens of features, so that the feature "V" and the letter "V" are different
tokens."""

LAST_WORD = r"(?s)^(.*[^ \t])[ \t]+([^ \t]+)[ \t]*$"
"""Matches the lemma, which may contain spaces, and the last word, which lists the features."""


def split_lemmas(text: Any) -> Any:
    """Strings (batch,) -> tokens, ragged (batch, time):

        absetzen V;PST;1;PL  ->  ;V  ;PST  ;1  ;PL  a  b  s  e  t  z  e  n

    Features come first, so that a maximum length truncates the lemma. A single word is a lemma
    without features.
    """
    lemmas = tf.strings.regex_replace(text, LAST_WORD, r"\1")
    features = tf.strings.regex_replace(text, LAST_WORD, r"\2")
    features = tf.where(tf.strings.regex_full_match(text, LAST_WORD), features, "")
    names = tf.strings.split(tf.strings.regex_replace(features, FEATURE, " "))
    names = tf.ragged.map_flat_values(lambda name: FEATURE + name, names)
    return tf.concat([names, split_characters(lemmas)], axis=1)


class LemmaFeatures(TextFeatures):
    """Lemmas with features as in UniMorph, such as "absetzen V;PST;1;PL", as ids."""

    def split(self, text: Any) -> Any:
        return split_lemmas(text)[:, : self.template.maximum_length]

    @property
    def feature_ids(self) -> list[int]:
        """The ids of the morphological features in the vocabulary."""
        tokens = enumerate(self.vocabulary.tokens, SPECIAL)
        return [index for index, token in tokens if token.startswith(FEATURE) and token != FEATURE]

    def copied(self, text: Any) -> Any:
        tokens = super().copied(text)
        return tf.where(tf.strings.regex_full_match(tokens, f"{FEATURE}.+"), "", tokens)
