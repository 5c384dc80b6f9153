"""Beam search.

Each step considers the 2 * width best continuations of an input's beams. Those among the first
`width` that end the text leave the beams and are ranked by their score; the best others are the
next beams. An input is done once none of its beams can still rank among the best texts. What a beam
would gain from a length penalty is not known before it ends, so with one an input is also done once
`width` texts have ended and no beam would rank among the best if it ended with the next token.
With a width of 1 this is greedy search, regardless of the penalties.

For each beam the loop stores its previous beam and its token as one number: the row of that beam,
times `ids`, plus the token. Complete texts are reconstructed from these afterwards.
"""

from typing import Any

import tensorflow as tf

from seqzoo.tasks.decoding.arrays import generate, largest, write
from seqzoo.tasks.decoding.guided import GuidedModel
from seqzoo.tasks.decoding.penalties import coverage_penalty, length_penalty
from seqzoo.tasks.preprocessing.vocabulary import PADDING

NONE = float("-inf")
"""Score of a beam or a text that does not exist."""


class BeamSearch:
    """A beam search over a batch of inputs.

    Args:
        guided: the model, with constraints for batch * width rows.
        batch: number of inputs.
        limits: maximum number of tokens: a number, or one per input, shape (batch,).
        source: number of source steps that are attended to, or None without attention.
        source_lengths: shape (batch,): how many of them are not padding.
        attends: whether to report attention.
    """

    def __init__(
        self,
        guided: GuidedModel,
        batch: Any,
        limits: Any,
        source: Any,
        source_lengths: Any,
        attends: bool,
    ):
        self.guided = guided
        self.choices = guided.choices
        self.width = guided.choices.beam_width
        self.ids = guided.model.ids
        # At least `width` of these do not end the text.
        self.candidates = min(2, self.ids) * self.width
        self.batch = batch
        self.source = source
        self.attends = attends
        self.covers = source is not None and self.choices.coverage_penalty > 0
        self.source_lengths = source_lengths
        position = tf.range(batch)[:, None]
        self.first_id = position * (self.width * self.ids)
        self.first_candidate = position * self.candidates
        self.first_text = position * (self.choices.count + self.candidates)
        self.limits = limits

    def run(self, states: Any, start: Any) -> dict:
        """Searches until all inputs are done.

        Args:
            states: nest of tensors with a leading axis of batch * width rows.
            start: shape (batch * width,): the tokens before the first ones.

        Returns:
            "tokens" (batch, texts, steps) with `PADDING` after the end, "lengths" and "scores"
            (batch, texts), best first, "log_probabilities" (batch, texts, steps + 1) with that of
            the end token at index "lengths"; "attention" (batch, texts, steps, source) if
            requested.
        """
        rows = self.batch * self.width
        # All beams but the first are initially disabled, because they would be identical.
        first = tf.one_hot(tf.zeros([self.batch], tf.int32), self.width, 0.0, NONE)
        variables: dict[str, Any] = {
            "previous": start,
            "states": states,
            "scores": tf.reshape(first, [-1, 1]),
            "finished": tf.fill([self.batch, self.choices.count], NONE),
            "positions": tf.zeros([self.batch, self.choices.count], tf.int32),
            "ended": tf.zeros([self.batch], tf.int32),
            "done": tf.zeros([self.batch], tf.bool),
        }
        if self.covers:
            variables["coverage"] = tf.zeros([rows, self.source])
        if self.guided.remembers:
            variables["history"] = tf.fill([rows, self.guided.longest], PADDING)
        kept = {"continued": (tf.int32, 1), "log_probabilities": (tf.float32, 1)}
        kept["ends"] = (tf.float32, 1)
        if self.attends:
            kept["attention"] = (tf.float32, 2)
        max_steps = self.guided.longest + 1
        _, variables, written = generate(self._step, variables, kept, max_steps)
        return self._histories(variables["finished"], variables["positions"], written)

    def _step(self, t: Any, variables: dict) -> tuple:
        guided, ids, done = self.guided, self.ids, variables["done"]
        proposal = guided(t, variables["previous"], variables["states"], variables.get("history"))
        scores = variables["scores"] + guided.enforced(t, proposal)
        scores = tf.reshape(scores, [self.batch, self.width * ids])
        best, at = tf.math.top_k(scores, self.candidates)
        at += self.first_id
        rows = at // ids
        ends = at % ids == guided.model.end

        # The texts that end here.
        closed = best / self._length_penalty(t) if self.choices.length_penalty else best
        coverage = None
        if self.covers:
            coverage = variables["coverage"] + proposal.attention
            closed += tf.gather(self._coverage_penalty(coverage), rows)
        closes = ends & (tf.range(self.candidates) < self.width) & ~done[:, None]
        closed = tf.where(closes, closed, NONE)
        ended = variables["ended"] + tf.math.count_nonzero(closed > NONE, 1, dtype=tf.int32)
        finished = tf.concat([variables["finished"], closed], 1)
        positions = tf.concat([variables["positions"], t * self.batch * self.width + rows], 1)
        finished, ranked = tf.math.top_k(finished, self.choices.count)
        positions = tf.gather(tf.reshape(positions, [-1]), ranked + self.first_text)

        # The beams that continue.
        scores, following = tf.math.top_k(tf.where(ends, NONE, best), self.width)
        following = tf.reshape(following + self.first_candidate, [-1])
        continued = tf.gather(tf.reshape(at, [-1]), following)
        rows, tokens = continued // ids, continued % ids
        if guided.remembers or not guided.model.has_end:
            # The model cannot read the end token if it is not one of its ids.
            tokens = tf.where(tokens == guided.model.end, PADDING, tokens)
        new = {
            "previous": tokens,
            "states": tf.nest.map_structure(lambda item: tf.gather(item, rows), proposal.states),
            "scores": tf.reshape(scores, [-1, 1]),
            "finished": finished,
            "positions": positions,
            "ended": ended,
        }
        if coverage is not None:
            new["coverage"] = tf.gather(coverage, rows)
        if guided.remembers:
            new["history"] = write(tf.gather(variables["history"], rows), tokens, t)

        new["done"] = done | self._done(t, scores[:, 0], finished[:, -1], ended)
        logs = proposal.log_probabilities
        results = {
            "continued": continued,
            "log_probabilities": tf.gather(tf.reshape(logs, [-1]), continued),
            "ends": logs[:, guided.model.end],
            "attention": proposal.attention,
        }
        # The limit ends inputs whose scores are NaN.
        return (t < guided.longest) & ~tf.reduce_all(new["done"]), new, results

    def _done(self, t: Any, best: Any, worst: Any, ended: Any) -> Any:
        """Which inputs are done, (batch,).

        Args:
            t: number of tokens before this step.
            best: scores of the best beams that continue.
            worst: scores of the worst of the texts to return.
            ended: numbers of texts that have ended.
        """
        alone = tf.equal(self.width, 1) & (ended >= 1)  # the width may be a tensor
        # Further tokens can only lower a score, except for the gain that the length penalty may
        # still give.
        if not self.choices.length_penalty:
            return alone | (best <= worst)
        enough = (ended >= self.width) & (best / self._length_penalty(t + 1) <= worst)
        return alone | enough | (best / self._length_penalty(self.limits) <= worst)

    def _histories(self, scores: Any, positions: Any, written: dict) -> dict:
        """Reconstructs complete texts, from their ends to their beginnings.

        Args:
            scores: shape (batch, texts).
            positions: shape (batch, texts): the end of each text: step * batch * width + row.
            written: the kept values of each step.
        """
        shape = [self.batch, self.choices.count]
        wide = self.batch * self.width
        positions = tf.reshape(positions, [-1])
        lengths, rows = positions // wide, positions % wide
        parents = written["continued"] // self.ids
        ends = tf.gather(tf.reshape(written["ends"], [-1]), lengths * wide + rows)
        time = largest(lengths)
        path = tf.TensorArray(tf.int32, tf.maximum(time, 1), element_shape=[None])

        def back(t, rows, path):
            path = path.write(t, rows)
            return t - 1, tf.where(t < lengths, tf.gather(parents[t], rows), rows), path

        *_, path = tf.while_loop(
            lambda t, *_: t >= 0,
            back,
            (tf.maximum(time, 1) - 1, rows, path),
            (tf.TensorShape([]), tf.TensorShape([None]), tf.TensorShape(None)),
        )
        rows = path.stack()[:time]  # (time, batch * texts)
        at = tf.range(time)[:, None] * wide + rows
        inside = tf.range(time)[:, None] < lengths

        def along(array: Any) -> Any:
            return tf.gather(tf.reshape(array, [-1]), at)

        tokens = tf.where(inside, along(written["continued"]) % self.ids, PADDING)
        logs = tf.where(inside, along(written["log_probabilities"]), 0.0)
        logs = tf.pad(logs, [[0, 1], [0, 0]])
        logs = tf.where(tf.range(time + 1)[:, None] == lengths, ends, logs)

        def by_text(values: Any) -> Any:
            """(steps, batch * texts) -> (batch, texts, steps)."""
            return tf.reshape(tf.transpose(values), [*shape, tf.shape(values)[0]])

        results = {
            "tokens": by_text(tokens),
            "log_probabilities": by_text(logs),
            "lengths": tf.reshape(lengths, shape),
            "scores": scores,
        }
        if self.attends:
            weights = tf.gather(written["attention"][:time], along(parents), batch_dims=1)
            weights = tf.transpose(weights, [1, 0, 2])
            weights = tf.reshape(weights, [*shape, time, self.source])
            results["attention"] = weights
        return results

    def _coverage_penalty(self, coverage: Any) -> Any:
        """Coverage penalty of each beam, (batch * width,)."""
        inside = tf.range(self.source)[None, :] < self.source_lengths[:, None]
        coverage = tf.reshape(coverage, [self.batch, self.width, self.source])
        result = coverage_penalty(coverage, inside, self.choices.coverage_penalty)
        return tf.reshape(result, [-1])

    def _length_penalty(self, tokens: Any) -> Any:
        length = tokens + 1 if self.guided.model.has_end else tokens
        return length_penalty(length, self.choices.length_penalty)
