"""Ids of the tokens that a model may copy from its input.

A token of the input that is in the target vocabulary keeps its id there. The others get further ids
in each example, in the order of their first occurrence; up to `EXTENDED_IDS` of them follow the ids
of the vocabulary (See, Liu and Manning 2017, section 2.2: the extended vocabulary).
"""

from typing import Any

import tensorflow as tf

from seqzoo.tasks.preprocessing.vocabulary import PADDING, SPECIAL, UNKNOWN, Vocabulary

EXTENDED_IDS = 64
"""Maximum number of distinct tokens of an input that are not in the target vocabulary and can be
copied. Their number is fixed so that the shapes of a decoder do not depend on its input."""


def copy_ids(tokens: Any, vocabulary: Vocabulary) -> Any:
    """For each token of the input, the id that is generated if the token is copied.

    Args:
        tokens: strings (batch, source), "" for steps without a token to copy.
        vocabulary: the vocabulary of the targets; its first two tokens, the start and the end of a
            text, are not copied.

    Returns:
        Shape (batch, source), int32: `PADDING` for steps without a token to copy, and `UNKNOWN` for
        unknown tokens beyond the first `EXTENDED_IDS` distinct ones.
    """
    ids = vocabulary.ids(tokens)
    positions = tf.where((ids == UNKNOWN) & (tokens != ""))
    rows = positions[:, 0]
    # Tokens are numbered across the batch, with the row in their names, so that the numbers of a
    # row are consecutive.
    names = tf.strings.join([tf.as_string(rows), tf.gather_nd(tokens, positions)], " ")
    numbers = tf.unique(names).idx
    first = tf.math.unsorted_segment_min(numbers, rows, tf.shape(tokens, tf.int64)[0])
    numbers -= tf.gather(first, rows)
    further = tf.where(numbers < EXTENDED_IDS, len(vocabulary) + numbers, UNKNOWN)
    none = (tokens == "") | ((ids != UNKNOWN) & (ids < SPECIAL + 2))
    return tf.tensor_scatter_nd_update(tf.where(none, PADDING, ids), positions, further)


def extended_ids(ids: Any, tokens: Any, sources: Any, copies: Any) -> Any:
    """Ids of target tokens; unknown tokens that occur in the input get their extended ids.

    Args:
        ids: ids in the target vocabulary, (batch, time).
        tokens: the same tokens, strings (batch, time).
        sources: tokens of the inputs, strings (batch, source).
        copies: the `copy_ids` of the inputs, (batch, source).
    """
    matches = tokens[:, :, None] == sources[:, None, :]
    position = tf.argmax(tf.cast(matches, tf.int32), -1, tf.int32)
    copied = tf.gather(copies, position, batch_dims=1)
    return tf.where((ids == UNKNOWN) & tf.reduce_any(matches, -1), copied, ids)


def copied_tokens(ids: Any, sources: Any, copies: Any) -> Any:
    """The tokens of the inputs that ids represent, strings (batch, texts, time); arbitrary for ids
    that no token of the input has.

    Args:
        ids: shape (batch, texts, time).
        sources: tokens of the inputs, strings (batch, source).
        copies: the `copy_ids` of the inputs, (batch, source).
    """
    matches = ids[..., None] == copies[:, None, None, :]
    position = tf.argmax(tf.cast(matches, tf.int32), -1, tf.int32)
    return tf.gather(sources, position, batch_dims=1)
