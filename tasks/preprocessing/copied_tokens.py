"""Ids of the tokens that a model may copy from its input.

A token of the input that is in the target vocabulary has its id there. The others have ids of
their own in each example, in the order of their first occurrence: `FURTHER_IDS` of them follow the
ids of the vocabulary (See, Liu and Manning 2017, section 2.2: the extended vocabulary).
"""

from typing import Any

import tensorflow as tf

from seqzoo.tasks.preprocessing.vocabulary import PADDING, SPECIAL, UNKNOWN, Vocabulary

FURTHER_IDS = 64
"""Maximum number of distinct tokens of an input that are not in the target vocabulary and can be
copied. Their number is fixed so that the shapes of a decoder do not depend on its input."""


def copy_ids(tokens: Any, vocabulary: Vocabulary) -> Any:
    """The id that copying each token of an input generates.

    Args:
        tokens: strings (batch, source), "" where there is none to copy.
        vocabulary: the vocabulary of the targets; its first two tokens, the start and the end of a
            text, are not copied.

    Returns:
        Shape (batch, source), int32: `PADDING` where there is none to copy, and `UNKNOWN` for
        unknown tokens beyond the first `FURTHER_IDS` distinct ones.
    """
    ids = vocabulary.ids(tokens)
    places = tf.where((ids == UNKNOWN) & (tokens != ""))
    rows = places[:, 0]
    # Unique over the batch, so that the numbers of a row follow one another.
    names = tf.strings.join([tf.as_string(rows), tf.gather_nd(tokens, places)], " ")
    numbers = tf.unique(names).idx
    first = tf.math.unsorted_segment_min(numbers, rows, tf.shape(tokens, tf.int64)[0])
    numbers -= tf.gather(first, rows)
    further = tf.where(numbers < FURTHER_IDS, len(vocabulary) + numbers, UNKNOWN)
    none = (tokens == "") | ((ids != UNKNOWN) & (ids < SPECIAL + 2))
    return tf.tensor_scatter_nd_update(tf.where(none, PADDING, ids), places, further)


def extended_ids(ids: Any, tokens: Any, sources: Any, copies: Any) -> Any:
    """Ids of target tokens, of which those that only the input knows get its further ids.

    Args:
        ids: shape (batch, time): in the target vocabulary.
        tokens: the same tokens, strings.
        sources: tokens of the inputs, strings (batch, source).
        copies: their `copy_ids`.
    """
    same = tokens[:, :, None] == sources[:, None, :]
    place = tf.argmax(tf.cast(same, tf.int32), -1, tf.int32)
    copied = tf.gather(copies, place, batch_dims=1)
    return tf.where((ids == UNKNOWN) & tf.reduce_any(same, -1), copied, ids)


def copied_tokens(ids: Any, sources: Any, copies: Any) -> Any:
    """The tokens of the inputs that ids stand for, strings (batch, answers, time); those of ids
    that no token of the input has do not matter.

    Args:
        ids: shape (batch, answers, time).
        sources: tokens of the inputs, strings (batch, source).
        copies: their `copy_ids`.
    """
    same = ids[..., None] == copies[:, None, None, :]
    place = tf.argmax(tf.cast(same, tf.int32), -1, tf.int32)
    return tf.gather(sources, place, batch_dims=1)
