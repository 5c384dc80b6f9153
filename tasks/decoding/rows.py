"""The loop of greedy search and sampling: each row goes its own way."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from seqzoo.tasks.decoding.arrays import free, free_rows, largest, write
from seqzoo.tasks.decoding.guided import GuidedModel
from seqzoo.tasks.preprocessing.vocabulary import PADDING


def generate_rows(
    guided: GuidedModel, states: Any, start: Any, choose: Callable, attends: bool
) -> dict:
    """Generates until all rows have ended.

    Args:
        guided: the model, with constraints for each row.
        states: nest of tensors with the leading axis rows.
        start: shape (rows,): the tokens before the first ones.
        choose: (t, scores (rows, ids)) -> tokens (rows,), int32.
        attends: whether the model reports attention.

    Returns:
        "tokens" (rows, time) with `PADDING` behind an end, "lengths" (rows,),
        "log_probabilities" (rows, time + 1) with that of the end at the row's length, where time
        is the largest limit; "attention" (rows, steps, source), if any, of all steps that were
        run.
    """
    rows, longest = tf.shape(start)[0], largest(guided.limits)
    written = {
        "tokens": tf.fill([rows, longest], PADDING),
        "log_probabilities": tf.zeros([rows, longest + 1]),
        "lengths": tf.zeros([rows], tf.int32),
    }
    finished = tf.zeros([rows], tf.bool)
    array = tf.TensorArray(tf.float32, longest + 1, element_shape=[None, None])

    def unfinished(t, previous, states, finished, written, array):
        # An empty batch takes one step, too, so that attention has a shape. The limit ends rows
        # whose scores are not numbers.
        return (t == 0) | ((t <= longest) & ~tf.reduce_all(finished))

    def body(t, previous, states, finished, written, array):
        proposal = guided(t, previous, states, written["tokens"])
        chosen = choose(t, proposal.scores)
        log_probabilities = tf.gather(proposal.log_probabilities, chosen, batch_dims=1)
        ended = finished | (chosen == guided.model.end)
        tokens = tf.where(ended, PADDING, chosen)
        if attends:
            array = array.write(t, proposal.attention)
        written = {
            "tokens": write(written["tokens"], tokens, t),
            "log_probabilities": write(
                written["log_probabilities"], tf.where(finished, 0.0, log_probabilities), t
            ),
            "lengths": tf.where(ended, written["lengths"], t + 1),
        }
        return t + 1, tokens, proposal.states, ended, written, array

    steps, *_, written, array = tf.while_loop(
        unfinished,
        body,
        (tf.constant(0), start, states, finished, written, array),
        (
            tf.TensorShape([]),
            tf.TensorShape([None]),
            free_rows(states),
            tf.TensorShape([None]),
            free(written),
            tf.TensorShape(None),
        ),
    )
    if attends:
        # The array holds nothing for steps that were not run.
        written["attention"] = tf.transpose(array.gather(tf.range(steps)), [1, 0, 2])
    return written
