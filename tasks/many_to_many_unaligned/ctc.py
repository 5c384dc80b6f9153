"""The connectionist temporal classification (CTC) loss, and the alignments that it sums over.

Source: Graves et al. 2006, "Connectionist temporal classification".

An alignment names a symbol or the blank at each step; its text results from merging repeated
symbols and then removing blanks, so "a a - a b -" is "a a b".
"""

from typing import Any

import tensorflow as tf

from seqzoo.tasks.preprocessing.vocabulary import PADDING, UNKNOWN

BLANK = PADDING
"""The id of the blank, which no symbol has."""

IMPOSSIBLE = -1e30
"""The log-probability of anything impossible; finite, so that differences stay finite."""


def ctc_losses(logits: Any, lengths: Any, targets: Any, target_lengths: Any) -> Any:
    """The negative logarithm of the probability of each target, the sum over all its alignments.

    Args:
        logits: (batch, time, ids).
        lengths: number of steps of each row, at least 1, (batch,), int32.
        targets: ids without blanks, (batch, symbols), int32.
        target_lengths: number of symbols, (batch,), int32. Each symbol needs a step, and two
            equal adjacent symbols need one more between them; otherwise TensorFlow raises an error.

    Returns: the losses, (batch,), float32.
    """
    logits = tf.cast(logits, tf.float32)
    # TensorFlow does not accept empty targets, so they get a symbol. The only alignment of an empty
    # target is all blanks.
    empty = target_lengths == 0
    symbols = tf.pad(targets, [[0, 0], [0, 1]])
    symbols = tf.where(empty[:, None], UNKNOWN, symbols)
    inside = tf.range(tf.shape(symbols)[1]) < tf.maximum(target_lengths, 1)[:, None]
    indices = tf.where(inside)
    # For sparse targets the loss is computed in C++, thirteen times as fast as for dense ones:
    # 39 ms instead of 527 ms, forward and backward, at (64, 200, 100). `tf.nn.ctc_loss` adds a
    # version for cuDNN; with it, training on a GPU ended within 31 steps, with gradients that were
    # not finite. The operation below always runs on the CPU; its blank is the last id.
    sparse = tf.SparseTensor(
        indices, tf.gather_nd(symbols, indices) - (BLANK + 1), tf.shape(symbols, tf.int64)
    )
    rotated = tf.concat([logits[..., BLANK + 1 :], logits[..., : BLANK + 1]], -1)
    losses = tf.compat.v1.nn.ctc_loss(sparse, rotated, lengths, time_major=False)
    steps = tf.range(tf.shape(logits)[1]) < lengths[:, None]
    blanks = tf.reduce_logsumexp(logits, -1) - logits[..., BLANK]
    return tf.where(empty, tf.reduce_sum(tf.where(steps, blanks, 0.0), 1), losses)


def best_alignment(
    log_probabilities: Any, lengths: Any, targets: Any, target_lengths: Any
) -> tuple[Any, Any]:
    """The position of each symbol of a text in its most probable alignment (Viterbi).

    Args:
        log_probabilities: (batch, time, ids).
        lengths: number of steps of each row, (batch,), int32.
        targets: ids without blanks, (batch, symbols), int32.
        target_lengths: number of symbols, which must fit into the steps, (batch,), int32.

    Returns:
        The first step of each symbol, and the step after its last one, both (batch, symbols),
        int32; zeros after the end of a text.
    """
    batch, symbols = tf.shape(targets)[0], tf.shape(targets)[1]
    time = tf.shape(log_probabilities)[1]
    # A path runs through 2 * symbols + 1 positions: blank, symbol, blank, symbol, ..., blank.
    count = 2 * symbols + 1
    positions = tf.range(count)
    padded = tf.pad(targets, [[0, 0], [0, 1]], constant_values=BLANK)
    ids = tf.where(positions % 2 == 1, tf.gather(padded, positions // 2, axis=1), BLANK)
    scores = tf.gather(log_probabilities, ids, axis=2, batch_dims=1)  # (batch, time, positions)
    before = tf.pad(ids, [[0, 0], [2, 0]])[:, :count]
    jumps = (positions % 2 == 1) & (ids != before)  # over a blank
    total = tf.where(positions < 2, scores[:, 0], IMPOSSIBLE)
    origins = tf.TensorArray(tf.int32, tf.maximum(time - 1, 0), element_shape=[None, None])

    def forward(step, total, origins):
        shifted = tf.pad(total, [[0, 0], [2, 0]], constant_values=IMPOSSIBLE)
        candidates = tf.stack(
            [
                total,
                shifted[:, 1 : count + 1],
                tf.where(jumps, shifted[:, :count], IMPOSSIBLE),
            ]
        )
        inside = (step < lengths)[:, None]
        moved = tf.where(inside, tf.argmax(candidates, 0, tf.int32), 0)
        new = tf.where(inside, tf.reduce_max(candidates, 0) + scores[:, step], total)
        return step + 1, new, origins.write(step - 1, moved)

    free = tf.TensorShape([None, None])
    _, total, origins = tf.while_loop(
        lambda step, *_: step < time,
        forward,
        (tf.constant(1), total, origins),
        (tf.TensorShape([]), free, tf.TensorShape(None)),
    )
    last = 2 * target_lengths
    ends = tf.gather(total, tf.stack([tf.maximum(last - 1, 0), last], 1), batch_dims=1)
    at = last - tf.cast((ends[:, 0] > ends[:, 1]) & (target_lengths > 0), tf.int32)
    path = tf.TensorArray(tf.int32, time, element_shape=[None])

    def backward(step, at, path):
        path = path.write(step, at)
        moved = tf.cond(
            step > 0, lambda: origins.read(step - 1), lambda: tf.zeros([batch, count], tf.int32)
        )
        return step - 1, at - tf.gather(moved, at, batch_dims=1), path

    *_, path = tf.while_loop(
        lambda step, *_: step >= 0,
        backward,
        (time - 1, at, path),
        (tf.TensorShape([]), tf.TensorShape([None]), tf.TensorShape(None)),
    )
    inside = tf.range(time) < lengths[:, None]
    path = tf.where(inside, tf.transpose(path.stack()), 0)  # (batch, time)
    is_symbol = path[:, :, None] == 2 * tf.range(symbols) + 1
    steps = tf.range(time)[:, None]
    exists = tf.range(symbols) < target_lengths[:, None]
    starts = tf.reduce_min(tf.where(is_symbol, steps, time), 1)
    stops = tf.reduce_max(tf.where(is_symbol, steps + 1, 0), 1)
    return tf.where(exists, starts, 0), tf.where(exists, stops, 0)
