"""Elementwise linear recurrences, s = a * s + b, computed in parallel chunks.

Time is split into chunks of equal length. All chunks run in parallel from zero, which gives, for
each chunk, the state that it adds and the factor by which it multiplies the state before it. These
determine the states between chunks. Then all chunks run in parallel again, from the correct states.
"""

from typing import Any

import tensorflow as tf

from seqzoo.cells.engine.xla_slices import read_at, write_at

MAX_CHUNK = 32
"""Maximum number of steps per chunk."""


def scan_back(a: Any, b: Any) -> Any:
    """s[t] = a[t] * s[t + 1] + b[t], from zero after the last step.

    Args:
        a: (batch, time, units).
        b: (batch, time, units).

    Returns:
        s, (batch, time, units).
    """
    batch, length, units = tf.unstack(tf.shape(a))
    lengths = tf.range(1, MAX_CHUNK + 1)
    chunk = tf.reduce_max(tf.where(length % lengths == 0, lengths, 1))
    count = length // chunk
    a, b = [tf.reshape(each, [batch, count, chunk, units]) for each in (a, b)]

    def add(k, factor, state):
        t = chunk - 1 - k
        a_t = read_at(a, t, 2)
        return k + 1, factor * a_t, a_t * state + read_at(b, t, 2)

    size = [batch, count, units]
    start = [0, tf.ones(size, a.dtype), tf.zeros(size, a.dtype)]
    _, factors, added = tf.while_loop(lambda k, *_: k < chunk, add, start)

    def join(k, state, after):
        c = count - 1 - k
        after = write_at(after, state, c, 1)
        return k + 1, read_at(factors, c, 1) * state + read_at(added, c, 1), after

    start = [0, tf.zeros([batch, units], a.dtype), tf.zeros(size, a.dtype)]
    _, _, after = tf.while_loop(lambda k, *_: k < count, join, start)

    def run(k, state, written):
        t = chunk - 1 - k
        state = read_at(a, t, 2) * state + read_at(b, t, 2)
        return k + 1, state, write_at(written, state, t, 2)

    *_, s = tf.while_loop(lambda k, *_: k < chunk, run, [0, after, tf.zeros_like(a)])
    return tf.reshape(s, [batch, length, units])
