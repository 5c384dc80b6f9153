"""The best texts under several models together, for ensembles."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from seqzoo.tasks.many_to_many_unaligned.ctc import ctc_losses
from seqzoo.tasks.many_to_many_unaligned.search import greedy_search, prefix_beam_search


def joint_search(
    outputs: Sequence[Any], allowed: Sequence[Any], lengths: Any, width: int | None, count: int
) -> tuple[Any, Any, Any]:
    """The texts of the highest mean log-probability among those that each model finds.

    The probabilities of steps cannot be averaged instead: models that were trained independently
    place the same symbol at different steps.

    Args:
        outputs: logits of each model, (batch, time, ids).
        allowed: the log-probabilities that each search uses, (batch, time, ids).
        lengths: number of steps of each row, (batch,), int32.
        width: beam size; None for greedy search.
        count: number of texts; 1 for greedy search.

    Returns:
        Symbols (batch, texts, symbols), int32; the lengths of texts (batch, texts); their mean
        log-probabilities (batch, texts), best first, and -inf if there are fewer texts.
    """
    searches = [_search(item, lengths, width) for item in allowed]
    longest = tf.reduce_max([tf.shape(tokens)[2] for tokens, *_ in searches])
    tokens = tf.concat(
        [
            tf.pad(tokens, [[0, 0], [0, 0], [0, longest - tf.shape(tokens)[2]]])
            for tokens, *_ in searches
        ],
        1,
    )
    counts, found = (tf.concat([item[k] for item in searches], 1) for k in (1, 2))
    scores = tf.add_n([text_scores(item, lengths, tokens, counts) for item in outputs])
    # Texts are followed by padding, so equal rows are equal texts.
    same = tf.reduce_all(tokens[:, :, None] == tokens[:, None], -1)
    earlier = tf.range(tf.shape(tokens)[1])
    repeated = tf.reduce_any(same & found[:, None] & (earlier < earlier[:, None]), -1)
    scores = tf.where(found & ~repeated, scores / len(outputs), float("-inf"))
    scores, best = tf.math.top_k(scores, count)
    return tf.gather(tokens, best, batch_dims=1), tf.gather(counts, best, batch_dims=1), scores


def text_scores(logits: Any, lengths: Any, tokens: Any, counts: Any) -> Any:
    """The log-probability of each text, (batch, texts).

    Args:
        logits: (batch, time, ids).
        lengths: number of steps of each row, (batch,), int32.
        tokens: symbols, (batch, texts, symbols), int32.
        counts: the lengths of texts, (batch, texts).
    """
    texts = tf.shape(tokens)[1]
    losses = ctc_losses(
        tf.repeat(logits, texts, 0),
        tf.repeat(tf.maximum(lengths, 1), texts),  # an input without steps has one of padding
        tf.reshape(tokens, [-1, tf.shape(tokens)[2]]),
        tf.reshape(counts, [-1]),
    )
    scores = -tf.reshape(losses, [-1, texts])
    return tf.where((lengths[:, None] == 0) & (counts == 0), 0.0, scores)


def _search(allowed: Any, lengths: Any, width: int | None) -> tuple[Any, Any, Any]:
    """The texts that one model finds, their lengths, and which of them are texts."""
    if width is None:
        tokens, counts, *_ = greedy_search(allowed, lengths)
        return tokens[:, None], counts[:, None], tf.ones_like(counts[:, None], tf.bool)
    tokens, counts, ranks = prefix_beam_search(allowed, lengths, width, width)
    return tokens, counts, tf.math.is_finite(ranks)
