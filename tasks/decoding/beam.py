"""Beam search.

In each step the 2 * width best continuations of a row's beams are looked at. Those among the first
`width` that end the answer leave the beams for good and are ranked by their score; the best others
are the next beams. A row is done once `width` answers have ended, or once none of its beams can get
among the best ones any more. With a width of 1 this is greedy search, whatever the penalties.
"""

from typing import Any, NamedTuple

import tensorflow as tf

from seqzoo.tasks.decoding.arrays import free, free_rows, largest, pick, write
from seqzoo.tasks.decoding.guided import GuidedModel, Proposal
from seqzoo.tasks.decoding.penalties import coverage_penalty, length_penalty
from seqzoo.tasks.preprocessing.vocabulary import PADDING

NONE = float("-inf")
"""Score of a beam or an answer that does not exist."""


class Candidates(NamedTuple):
    """Continuations, best first; each has the shape (batch, candidates).

    Attributes:
        scores: of the whole sequence.
        parents: index of the beam that is continued.
        tokens: the next ones.
        log_probabilities: of the next tokens.
    """

    scores: Any
    parents: Any
    tokens: Any
    log_probabilities: Any


class BeamSearch:
    """One search.

    "Histories" are dictionaries of what is known of sequences, (batch, sequences, ...): "tokens",
    "log_probabilities" with that of the end at the sequence's length, "origins", which beam each
    token came from, and "scores".

    Args:
        guided: the model, with constraints for batch * width rows.
        limits: shape (batch,): how many tokens an answer may have.
        source: how many steps attention is over, or None where there is none.
        source_lengths: shape (batch,): how many of them count.
    """

    def __init__(self, guided: GuidedModel, limits: Any, source: Any, source_lengths: Any):
        self.guided = guided
        self.choices = guided.choices
        self.width = guided.choices.beam_width
        self.limits = limits
        self.batch = tf.shape(limits)[0]
        self.longest = largest(limits)
        self.source = source
        self.attends = source is not None
        self.covers = self.attends and self.choices.coverage_penalty > 0
        self.source_lengths = source_lengths

    def run(self, states: Any, start: Any) -> dict:
        """Searches until all rows are done.

        Args:
            states: nest of tensors with the leading axis batch * width.
            start: shape (batch * width,): the tokens before the first ones.

        Returns:
            "tokens" (batch, answers, time) with `PADDING` behind an end, "lengths" and "scores"
            (batch, answers), best first, "log_probabilities" (batch, answers, time + 1), where
            time is the largest limit; "attention" (batch, answers, time, source) if any, where
            time is the longest answer.
        """
        # All but one beam do not exist, for all would go the same way.
        first = tf.one_hot(tf.zeros([self.batch], tf.int32), self.width, 0.0, NONE)
        beams = self._empty(self.width) | {"scores": first}
        if self.covers:
            beams["coverage"] = tf.zeros([self.batch, self.width, self.source])
        answers = self._empty(self.choices.answers)
        answers["lengths"] = tf.zeros([self.batch, self.choices.answers], tf.int32)
        ended, done = tf.zeros([self.batch], tf.int32), tf.zeros([self.batch], tf.bool)
        array = tf.TensorArray(tf.float32, self.longest + 1, element_shape=[None, None, None])

        def unfinished(t, previous, states, beams, answers, ended, done, array):
            # An empty batch takes one step, too, so that attention has a shape. The limit ends
            # rows whose scores are not numbers.
            return (t == 0) | ((t <= self.longest) & ~tf.reduce_all(done))

        steps, _, _, _, answers, _, _, array = tf.while_loop(
            unfinished,
            self._step,
            (tf.constant(0), start, states, beams, answers, ended, done, array),
            (
                tf.TensorShape([]),
                tf.TensorShape([None]),
                free_rows(states),
                free(beams),
                free(answers),
                tf.TensorShape([None]),
                tf.TensorShape([None]),
                tf.TensorShape(None),
            ),
        )
        if self.attends:
            # The array holds nothing for steps that were not run.
            written = tf.transpose(array.gather(tf.range(steps)), [1, 0, 2, 3])
            origins = answers["origins"][:, :, : largest(tf.reshape(answers["lengths"], [-1]))]
            origins = tf.transpose(origins, [0, 2, 1])
            written = written[:, : tf.shape(origins)[1]]  # (batch, time, width, source)
            attention = tf.gather(written, origins, axis=2, batch_dims=2)
            answers["attention"] = tf.transpose(attention, [0, 2, 1, 3])
        return answers

    def _step(self, t, previous, states, beams, answers, ended, done, array) -> tuple:
        history = tf.reshape(beams["tokens"], [self.batch * self.width, self.longest])
        proposal = self.guided(t, previous, states, history)
        if self.attends:
            attention = tf.reshape(proposal.attention, [self.batch, self.width, self.source])
            array = array.write(t, attention)
            if self.covers:
                beams = beams | {"coverage": beams["coverage"] + attention}
        candidates = self._candidates(beams["scores"], proposal)
        ends = candidates.tokens == self.guided.model.end

        first = Candidates(*(values[:, : self.width] for values in candidates))
        closes = ends[:, : self.width] & ~done[:, None]
        closed = self._continue(t, beams, first)
        closed["scores"] = tf.where(closes, self._rank(t, beams, first), NONE)
        closed["lengths"] = tf.fill([self.batch, self.width], t)
        answers = self._best(answers, closed)
        ended += tf.reduce_sum(tf.cast(closed["scores"] > NONE, tf.int32), axis=1)

        scores, kept = tf.math.top_k(tf.where(ends, NONE, candidates.scores), self.width)
        following = Candidates(*(pick(values, kept) for values in candidates))
        beams = self._continue(t, beams, following) | {"scores": scores}
        rows = tf.range(self.batch)[:, None] * self.width + following.parents
        rows = tf.reshape(rows, [-1])
        states = tf.nest.map_structure(lambda state: tf.gather(state, rows), proposal.states)
        tokens = tf.reshape(self._fed(following.tokens), [-1])

        # A further token lowers every score, save for what the length penalty may still give back.
        reachable = scores[:, 0] / self._length_penalty(self.limits)
        done |= (ended >= self.width) | (reachable <= answers["scores"][:, -1])
        return t + 1, tokens, states, beams, answers, ended, done, array

    def _empty(self, sequences: int) -> dict:
        """Histories of sequences that do not exist."""
        shape = [self.batch, sequences, self.longest]
        histories = {
            "tokens": tf.fill(shape, PADDING),
            "log_probabilities": tf.zeros([*shape[:2], self.longest + 1]),
            "scores": tf.fill(shape[:2], NONE),
        }
        return histories | ({"origins": tf.zeros(shape, tf.int32)} if self.attends else {})

    def _candidates(self, scores: Any, proposal: Proposal) -> Candidates:
        """The best continuations of the beams with these scores."""
        ids = self.guided.model.ids
        shape = [self.batch, self.width * ids]
        whole = scores[:, :, None] + tf.reshape(proposal.scores, [self.batch, self.width, ids])
        best, at = tf.math.top_k(tf.reshape(whole, shape), min(2, ids) * self.width)
        logs = pick(tf.reshape(proposal.log_probabilities, shape), at)
        return Candidates(best, at // ids, at % ids, logs)

    def _continue(self, t: Any, beams: dict, candidates: Candidates) -> dict:
        """Histories of beams (the "scores" excepted) with one token more."""
        new = {
            "tokens": self._fed(candidates.tokens),
            "log_probabilities": candidates.log_probabilities,
            "origins": candidates.parents,
        }
        histories = {
            name: write(pick(beams[name], candidates.parents), values, t)
            for name, values in new.items()
            if name in beams
        }
        if self.covers:
            histories["coverage"] = pick(beams["coverage"], candidates.parents)
        return histories

    def _rank(self, t: Any, beams: dict, candidates: Candidates) -> Any:
        """Scores (batch, candidates) of answers that have t tokens."""
        scores = candidates.scores / self._length_penalty(t)
        if self.covers:
            inside = tf.range(self.source)[None, :] < self.source_lengths[:, None]
            covered = coverage_penalty(beams["coverage"], inside, self.choices.coverage_penalty)
            scores += pick(covered, candidates.parents)
        return scores

    def _best(self, answers: dict, closed: dict) -> dict:
        """The best of the answers there were and of new ones, best first."""
        both = {name: tf.concat([answers[name], closed[name]], 1) for name in answers}
        _, kept = tf.math.top_k(both["scores"], self.choices.answers)
        return {name: pick(values, kept) for name, values in both.items()}

    def _length_penalty(self, tokens: Any) -> Any:
        length = tokens + 1 if self.guided.model.has_end else tokens
        return length_penalty(length, self.choices.length_penalty)

    def _fed(self, tokens: Any) -> Any:
        """Tokens with `PADDING` for the end, which may stand for no id of the model."""
        return tf.where(tokens == self.guided.model.end, PADDING, tokens)
