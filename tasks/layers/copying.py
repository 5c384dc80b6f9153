"""The distribution of a decoder that generates tokens or copies them from its input."""

from typing import Any

import tensorflow as tf

from seqzoo.tasks.preprocessing.vocabulary import PADDING

ABSENT = -1e30
"""Log-probability of impossible tokens, where the gradient of -inf would be NaN."""

MIN_WEIGHT = 1e-30
"""Lower bound of the attention weights of tokens that can be copied, so that their logarithms are
finite."""


def mixture(logits: Any, gate: Any, weights: Any, mask: Any, copies: Any, further: int) -> Any:
    """Log-probabilities of generated and copied tokens.

        p(w) = p_gen softmax(logits)(w) + (1 - p_gen) sum of the weights of steps whose token is w

    where p_gen = sigmoid(gate). The weights of steps without a token to copy,
    times 1 - p_gen, are added to p_gen, so that probabilities sum to 1.

    Source: See, Liu and Manning 2017, "Get To The Point: Summarization with Pointer-Generator
    Networks", equations 8 and 9.

    Args:
        logits: shape (batch, time, vocabulary), float32.
        gate: shape (batch, time, 1), float32.
        weights: attention, (batch, time, source), float32; they sum to at most 1.
        mask: which steps of the source exist, (batch, source).
        copies: `copy_ids` of the source, (batch, source).
        further: number of ids after those of the vocabulary.

    Returns:
        Shape (batch, time, vocabulary + further); -inf for further ids that no step has.
    """
    size = logits.shape[-1]
    copied = mask & (copies != PADDING)
    weights = tf.where(copied[:, None], tf.maximum(weights, MIN_WEIGHT), 0.0)
    rest = tf.maximum(1.0 - tf.reduce_sum(weights, -1, keepdims=True), MIN_WEIGHT)
    copying = tf.math.log_sigmoid(-gate)
    generating = log_sum(tf.math.log_sigmoid(gate), copying + tf.math.log(rest))
    logs = copying + log_of(_by_id(weights, copies, size + further))
    generated = generating + tf.nn.log_softmax(logits)
    return tf.concat([log_sum(generated, logs[..., :size]), logs[..., size:]], -1)


def mixture_by_step(logits: Any, gate: Any, copies: Any, further: int) -> Any:
    """Log-probabilities of tokens, given the step of the source that each comes from.

        p(w | j) = p_gen(j) softmax(logits_j)(w) + (1 - p_gen(j)) [w is the token of step j]

    where p_gen = sigmoid(gate), and 1 for steps without a token to copy.

    Args:
        logits: shape (batch, time, source, vocabulary), float32.
        gate: shape (batch, time, source, 1), float32.
        copies: `copy_ids` of the source, (batch, source).
        further: number of ids after those of the vocabulary.

    Returns:
        Shape (batch, time, source, vocabulary + further); `ABSENT` for further ids that are not the
        token of the step.
    """
    is_copy = tf.one_hot(copies, logits.shape[-1] + further, True, False, dtype=tf.bool)
    copied = (copies != PADDING)[:, None, :, None]
    generated = tf.nn.log_softmax(logits) + tf.where(copied, tf.math.log_sigmoid(gate), 0.0)
    logs = tf.pad(generated, [[0, 0]] * 3 + [[0, further]], constant_values=ABSENT)
    return tf.where(is_copy[:, None] & copied, log_sum(logs, tf.math.log_sigmoid(-gate)), logs)


def _by_id(weights: Any, copies: Any, ids: int) -> Any:
    """The sums of the weights of each id: (batch, time, source) -> (batch, time, ids)."""
    shape = tf.shape(weights)
    rows, steps = tf.meshgrid(tf.range(shape[0]), tf.range(shape[1]), indexing="ij")
    indices = [rows[..., None], steps[..., None], copies[:, None, :]]
    indices = tf.stack([tf.broadcast_to(index, shape) for index in indices], -1)
    return tf.scatter_nd(indices, weights, [shape[0], shape[1], ids])


def log_of(values: Any) -> Any:
    """Logarithms of non-negative values; that of 0 is -inf, with a gradient of 0. Values near the
    smallest float32 count as 0, since their gradients would not be finite."""
    positive = values > MIN_WEIGHT / 1e5
    return tf.where(positive, tf.math.log(tf.where(positive, values, 1.0)), float("-inf"))


def log_sum(one: Any, other: Any) -> Any:
    """log(exp(one) + exp(other)), where `one` is finite."""
    larger = tf.stop_gradient(tf.maximum(one, other))
    return larger + tf.math.log(tf.exp(one - larger) + tf.exp(other - larger))
