"""Sampling of tokens: temperature, top-k, top-p, and random numbers per row."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from seqzoo.tasks.decoding.settings import Decoding


def numbers_for(choices: Decoding, batch: Any, seed: Any) -> Any:
    """The random numbers for sampling, (steps + 1, rows, 1); None without sampling.

    Args:
        choices: the decoding options.
        batch: number of inputs.
        seed: see `random_numbers`.
    """
    if choices.method != "sample":
        return None
    # Always for the maximum length: with this batch's length, the numbers of a row would depend on
    # the other rows.
    numbers = random_numbers(seed, batch, choices.count, choices.maximum_length)
    return tf.transpose(tf.concat([numbers, numbers[:, -1:]], 1))[:, :, None]


def chooser(choices: Decoding, numbers: Any, prefix: Any = None) -> Callable:
    """Makes the function (t, scores (rows, ids)) -> tokens (rows,), greedy or random.

    Args:
        choices: the decoding options.
        numbers: the numbers from `numbers_for`.
        prefix: tokens that texts begin with, or None.
    """
    if numbers is None:
        return lambda t, scores: tf.argmax(scores, axis=1, output_type=tf.int32)

    def choose(t, scores):
        # A prefix may be longer than the maximum length.
        last = choices.maximum_length
        number = tf.gather(numbers, t if prefix is None else tf.minimum(t, last))
        return draw(scores, number, choices.temperature, choices.top_k, choices.top_p)

    return choose


def row_seeds(seed: Any, rows: Any) -> Any:
    """Seeds of rows, (batch, 2), int64: pairs of the common seed and a row's position.

    Args:
        seed: the common seed, a number.
        rows: positions of the rows, (batch,).
    """
    rows = tf.cast(rows, tf.int64)
    return tf.stack([tf.fill(tf.shape(rows), tf.cast(seed, tf.int64)), rows], 1)


def random_numbers(seed: Any, batch: Any, texts: int, steps: Any) -> Any:
    """One random number in [0, 1) for each token that may be drawn.

    The numbers of a row depend only on its own seed, or on a common seed and the row's position:
    never on the number of rows.

    Args:
        seed: a number, a pair of numbers, a tensor (batch, 2) with a pair for each row, or None
            for numbers that differ each time.
        batch: number of rows.
        texts: number of texts per row.
        steps: number of steps per text, a number or a tensor.

    Returns:
        Shape (batch * texts, steps).
    """
    if seed is None:
        seed = tf.random.uniform([2], tf.int32.min, tf.int32.max, tf.int32)
    seeds = tf.cast(tf.convert_to_tensor(seed), tf.int64)
    if seeds.shape.rank == 0:
        seeds = tf.stack([seeds, 0])

    def of_row(row: Any) -> Any:
        if seeds.shape.rank == 2:
            row_seed = seeds[row]
        else:
            row_seed = tf.random.experimental.stateless_fold_in(seeds, tf.cast(row, tf.int64))
        return tf.random.stateless_uniform([texts, steps], row_seed)

    spec = tf.TensorSpec([texts, None if tf.is_tensor(steps) else steps], tf.float32)
    if seeds.shape.rank == 2:
        seeds = tf.pad(seeds, [[0, 1], [0, 0]])
    # One more row than needed, because `tf.map_fn` cannot return none of an unknown length.
    numbers = tf.map_fn(of_row, tf.range(batch + 1), fn_output_signature=spec)[:batch]
    return tf.reshape(numbers, [batch * texts, steps])


def draw(scores: Any, number: Any, temperature: Any, top_k: Any, top_p: Any) -> Any:
    """Draws one token per row.

    The temperature is applied first. Then the `top_k` most probable tokens are kept, and of these,
    normalised to sum to 1, the most probable ones that together reach `top_p`.

    Args:
        scores: shape (rows, ids): log-probabilities, whose probabilities need not sum to 1; each
            row has at least one that is finite.
        number: shape (rows, 1): random numbers in [0, 1).
        temperature: above 0; a number or a scalar tensor, as are `top_k` and `top_p`.
        top_k: number of tokens to keep; None for all.
        top_p: probability to reach; None for all.

    Returns:
        Shape (rows,), int32.
    """
    tokens = None
    if tf.is_tensor(temperature) or temperature != 1:
        scores /= temperature
    if top_k is not None or top_p is not None:
        ids = scores.shape[1]
        static = top_k is not None and not tf.is_tensor(top_k)
        scores, tokens = tf.math.top_k(scores, min(top_k, ids) if static else ids)
        if tf.is_tensor(top_k):
            scores = tf.where(tf.range(ids) < top_k, scores, float("-inf"))
    # Not `softmax`, whose kernel takes five times as long; only `top_p` needs a sum of 1.
    probabilities = tf.exp(scores - tf.reduce_max(scores, axis=1, keepdims=True))
    if tf.is_tensor(top_p) or (top_p is not None and top_p < 1):
        probabilities /= tf.reduce_sum(probabilities, axis=1, keepdims=True)
        before = tf.cumsum(probabilities, axis=1, exclusive=True)
        probabilities = tf.where(before < top_p, probabilities, 0.0)
    sums = tf.cumsum(probabilities, axis=1)
    # The first token whose cumulative sum exceeds the number. Parallel sums need not be monotonic,
    # so tokens of probability zero are excluded; if rounding leaves no token, the most probable one
    # is taken.
    passes = (sums > number * sums[:, -1:]) & (probabilities > 0)
    at = tf.argmax(tf.where(passes, 2.0, probabilities), axis=1, output_type=tf.int32)
    return at if tokens is None else tf.gather(tokens, at, batch_dims=1)
