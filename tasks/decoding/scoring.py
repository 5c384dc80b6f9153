"""Log-probabilities of existing texts under a model."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from seqzoo.tasks.decoding.arrays import free_rows, largest, write
from seqzoo.tasks.decoding.guided import Model
from seqzoo.tasks.preprocessing.vocabulary import PADDING


def score(
    step: Callable,
    states: Any,
    *,
    tokens: Any,
    lengths: Any,
    start: Any,
    end: int | None,
    vocabulary_size: int,
    constants: Any = None,
) -> tuple[Any, Any]:
    """Log-probabilities of token sequences.

    Args:
        step: see `decode`.
        states: the initial states, a nest of tensors with a leading batch axis.
        tokens: shape (batch, time), int32, without the end token; values after the end of a
            sequence do not matter.
        lengths: lengths of the sequences, (batch,).
        start: token before the first one: an id, or a tensor (batch,).
        end: id of the end token, which is scored, too; None if there is none.
        vocabulary_size: number of ids.
        constants: see `decode`.

    Returns:
        The sums, shape (batch,), and their terms, shape (batch, time + 1); the term of the end
        token is at the sequence's length, followed by zeros.

    Raises:
        SeqzooError: `end` is not an id.
    """
    tokens, lengths = tf.cast(tokens, tf.int32), tf.cast(lengths, tf.int32)
    batch, time = tf.shape(tokens)[0], tf.shape(tokens)[1]
    model = Model(step, constants, vocabulary_size, end)
    start = tf.broadcast_to(tf.cast(start, tf.int32), [batch])
    positions = tf.range(time + 1)
    inside = positions < lengths[:, None]
    targets = tf.where(inside, tf.pad(tokens, [[0, 0], [0, 1]]), model.end)
    fed = tf.concat([start[:, None], tf.where(inside, targets, PADDING)], axis=1)

    def body(t, states, terms):
        logits, states, _ = model(fed[:, t], states)
        target = targets[:, t]
        log_probabilities = model.log_probabilities(logits)
        chosen = tf.gather(log_probabilities, target, batch_dims=1)
        chosen = tf.where(t <= lengths, chosen, 0.0)
        return t + 1, states, write(terms, chosen, t)

    steps = largest(lengths) + (1 if model.has_end else 0)
    _, _, terms = tf.while_loop(
        lambda t, *_: t < steps,
        body,
        (tf.constant(0), states, tf.zeros([batch, time + 1])),
        (tf.TensorShape([]), free_rows(states), tf.TensorShape([None, None])),
    )
    return tf.reduce_sum(terms, axis=1), terms
