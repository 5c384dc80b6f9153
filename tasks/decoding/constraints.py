"""Constraints on the next token: repetition penalty, repeated n-grams and forced tokens."""

from typing import Any

import tensorflow as tf

LAST_RESORT_SCORE = -1e4
"""Minimum log-probability of a forced token in a search, so that a row continues even if the model
gives the token no probability. Reported log-probabilities do not include it."""


def among(history: Any, chosen: Any, vocabulary_size: int) -> Any:
    """Determines which tokens occur at the chosen positions.

    Args:
        history: shape (rows, time), int32.
        chosen: shape (rows, time) or (time,), bool.
        vocabulary_size: number of ids.

    Returns:
        Shape (rows, vocabulary), bool.
    """
    rows = tf.broadcast_to(tf.range(tf.shape(history)[0])[:, None], tf.shape(history))
    counts = tf.scatter_nd(
        tf.stack([rows, history], axis=-1),
        tf.cast(tf.broadcast_to(chosen, tf.shape(history)), tf.int32),
        [tf.shape(history)[0], vocabulary_size],
    )
    return counts > 0


def penalise_repetition(logits: Any, history: Any, t: Any, penalty: float) -> Any:
    """Lowers the logits of tokens that have already occurred; see `Decoding.repetition_penalty`.

    Args:
        logits: shape (rows, vocabulary).
        history: shape (rows, time), of which t steps are written.
        t: index of the step.
        penalty: factor; values above 1 lower the logits.
    """
    written = tf.range(tf.shape(history)[1]) < t
    lowered = tf.where(logits > 0, logits / penalty, logits * penalty)
    return tf.where(among(history, written, logits.shape[1]), lowered, logits)


def repeated_ngrams(history: Any, t: Any, size: int, vocabulary_size: int) -> Any:
    """Determines which tokens would complete an n-gram that has already occurred.

    Args:
        history: shape (rows, time), of which t steps are written.
        t: index of the step.
        size: length of the n-grams.
        vocabulary_size: number of ids.

    Returns:
        Shape (rows, vocabulary), bool.
    """
    positions = tf.range(tf.shape(history)[1])
    # True at the end of each n-gram whose first size - 1 tokens equal the text's latest ones.
    matches = tf.broadcast_to((positions >= size - 1) & (positions < t), tf.shape(history))
    for back in range(1, size):
        latest = tf.gather(history, tf.maximum(t - back, 0), axis=1)
        matches &= tf.roll(history, back, axis=1) == latest[:, None]
    return among(history, matches, vocabulary_size)


def force(scores: Any, token: Any, forced: Any) -> Any:
    """Allows only one token in the rows that are forced.

    Args:
        scores: shape (rows, vocabulary): the scores of the tokens in a search.
        token: shape (rows,): the token that each forced row must take.
        forced: shape (rows,), bool.
    """
    alone = tf.range(scores.shape[1]) == token[:, None]
    only = tf.where(alone, tf.maximum(scores, LAST_RESORT_SCORE), float("-inf"))
    return tf.where(forced[:, None], only, scores)
