"""The loop of greedy search and sampling, in which rows are independent."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from seqzoo.tasks.decoding.arrays import generate, write
from seqzoo.tasks.decoding.guided import GuidedModel
from seqzoo.tasks.preprocessing.vocabulary import PADDING


def generate_rows(
    guided: GuidedModel, states: Any, start: Any, choose: Callable, attends: bool
) -> dict:
    """Generates until all rows have ended.

    A row that has ended keeps running with the others; its later output is dropped after the
    loop, which keeps the loop itself small.

    Args:
        guided: the model, with constraints for each row.
        states: nest of tensors with a leading axis of rows.
        start: shape (rows,): the tokens before the first ones.
        choose: (t, scores (rows, ids)) -> tokens (rows,), int32.
        attends: whether to report the model's attention.

    Returns:
        "tokens" (rows, steps) with `PADDING` after the end, "lengths" (rows,),
        "log_probabilities" (rows, steps + 1) with that of the end token at the row's length, and,
        if requested, "attention" (rows, steps, source) of all steps that were run.
    """
    end = guided.model.end
    kept = {"tokens": (tf.int32, 1), "log_probabilities": (tf.float32, 1)}
    if attends:
        kept["attention"] = (tf.float32, 2)

    def step(t, variables):
        new, results = next_tokens(guided, t, variables, choose)
        # The last step ends all rows, even those whose scores are NaN.
        return (t < guided.last) & ~tf.reduce_all(new["finished"]), new, results

    variables = first_variables(guided, states, start)
    steps, _, written = generate(step, variables, kept, guided.longest + 1)
    positions = tf.range(steps)
    tokens = tf.transpose(written["tokens"])
    lengths = tf.reduce_min(tf.where(tokens == end, positions, steps), axis=1)
    log_probabilities = tf.transpose(written["log_probabilities"])
    log_probabilities = tf.where(positions <= lengths[:, None], log_probabilities, 0.0)
    results = {
        "tokens": tf.where(positions < lengths[:, None], tokens, PADDING),
        "log_probabilities": tf.pad(log_probabilities, [[0, 0], [0, 1]]),
        "lengths": lengths,
    }
    if attends:
        results["attention"] = tf.transpose(written["attention"], [1, 0, 2])
    return results


def first_variables(guided: GuidedModel, states: Any, start: Any) -> dict[str, Any]:
    """The variables of `next_tokens` for the first tokens.

    Args:
        guided: the model, with constraints for each row.
        states: nest of tensors with a leading axis of rows.
        start: shape (rows,): the tokens before the first ones.
    """
    rows = tf.shape(start)[0]
    variables = {"previous": start, "states": states, "finished": tf.zeros([rows], tf.bool)}
    if guided.remembers:
        variables["history"] = tf.fill([rows, guided.longest], PADDING)
    return variables


def next_tokens(
    guided: GuidedModel, t: Any, variables: dict[str, Any], choose: Callable
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Chooses token t of each row.

    Args:
        guided: the model, with constraints for each row.
        t: index of the step.
        variables: the loop variables after the previous step.
        choose: (t, scores (rows, ids)) -> tokens (rows,), int32.

    Returns:
        The variables of the next step, and the results: "tokens" (rows,), their
        "log_probabilities" (rows,) and "attention" (rows, source) or None.
    """
    end, position = guided.model.end, tf.range(tf.shape(variables["previous"])[0])
    proposal = guided(t, variables["previous"], variables["states"], variables.get("history"))
    forced, token = guided.forced(t, proposal.scores)
    chosen = tf.where(forced, token, choose(t, proposal.scores))
    at = tf.stack([position, chosen], 1)
    results = {
        "tokens": chosen,
        "log_probabilities": tf.gather_nd(proposal.log_probabilities, at),
        "attention": proposal.attention,
    }
    ends = chosen == end
    finished = variables["finished"] | ends
    # Without an end token, `end` is an additional id, which the model cannot read.
    fed = chosen if guided.model.has_end else tf.where(ends, PADDING, chosen)
    new = {"previous": fed, "states": proposal.states, "finished": finished}
    if guided.remembers:
        before = tf.where(finished, PADDING, chosen)
        new["history"] = write(variables["history"], before, t)
    return new, results
