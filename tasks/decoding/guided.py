"""A model's step, with the constraints on what it may generate."""

from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from seqzoo.tasks.decoding.arrays import largest
from seqzoo.tasks.decoding.constraints import force, penalise_repetition, repeated_ngrams
from seqzoo.tasks.decoding.settings import Decoding
from seqzoo.tasks.errors import SeqzooError


class Proposal(NamedTuple):
    """Log-probabilities and scores of the next token.

    Attributes:
        log_probabilities: shape (rows, ids): those of the model.
        free: shape (rows, ids): the same after the repetition penalty.
        scores: shape (rows, ids): `free`, with -inf for tokens that are not allowed; searches use
            these.
        states: the new states of the model.
        attention: shape (rows, source), or None.
    """

    log_probabilities: Any
    free: Any
    scores: Any
    states: Any
    attention: Any


class Model:
    """A step as `decode` and `score` expect it, checked and with float32 results.

    Without an end token, an additional id represents the end. It has probability 1, so it
    costs nothing, and it only occurs where it is forced.

    Args:
        step: the function.
        constants: the third argument of `step`, or None for a step without one.
        vocabulary_size: number of ids.
        end: id of the end token, or None.
    """

    def __init__(self, step: Callable, constants: Any, vocabulary_size: int, end: int | None):
        if end is not None and not 0 <= end < vocabulary_size:
            raise SeqzooError(
                f"`end` must be an id below the vocabulary's size, {vocabulary_size}, got {end}."
            )
        self.step = step
        self.constants = constants
        self.vocabulary_size = vocabulary_size
        self.has_end = end is not None
        self.end = vocabulary_size if end is None else end
        self.ids = vocabulary_size if self.has_end else vocabulary_size + 1

    def __call__(self, tokens: Any, states: Any) -> tuple[Any, Any, Any]:
        """Tokens (rows,) -> logits (rows, vocabulary), new states, attention or None."""
        inputs = (tokens, states) if self.constants is None else (tokens, states, self.constants)
        logits, new, attention = self.step(*inputs)
        logits = tf.ensure_shape(tf.cast(logits, tf.float32), [None, self.vocabulary_size])
        # A cell may return its states in a different type of sequence from the one it was given.
        new = tf.nest.pack_sequence_as(states, tf.nest.flatten(new))
        new = tf.nest.map_structure(
            lambda a, b: tf.ensure_shape(a, [None, *b.shape[1:]]), new, states
        )
        return logits, new, None if attention is None else tf.cast(attention, tf.float32)

    def log_probabilities(self, logits: Any) -> Any:
        """Logits (rows, vocabulary) -> (rows, ids)."""
        result = tf.nn.log_softmax(logits)
        return result if self.has_end else tf.pad(result, [[0, 0], [0, 1]])


class GuidedModel:
    """A model with the constraints on what it may generate next.

    Options that are off cost nothing: a step only computes what the arguments require.

    Args:
        model: the model.
        choices: the decoding options, of which the minimum length and the repetition options
            are used.
        banned: ids that are not generated; the end token may be generated even if it is listed.
        limits: maximum number of tokens: a number, or one per row, shape (rows,).
        prefix: shape (rows, time), int32, or None.
        prefix_lengths: shape (rows,): how many tokens of `prefix` are forced.
    """

    def __init__(
        self,
        model: Model,
        choices: Decoding,
        banned: Collection[int],
        limits: Any,
        prefix: Any = None,
        prefix_lengths: Any = None,
    ):
        self.model = model
        self.choices = choices
        self.limits = limits
        self.longest = limits if isinstance(limits, int) else largest(limits)
        self.prefix = prefix
        self.prefix_lengths = prefix_lengths
        bans = np.zeros(model.ids, np.float32)
        bans[[index for index in banned if index < model.ids]] = float("-inf")
        bans[model.end] = float("-inf")
        self.bans_before = bans.copy()
        """Added to log-probabilities while the end must not occur."""
        if model.has_end:
            bans[model.end] = 0.0
        self.bans = bans

    @property
    def remembers(self) -> bool:
        """Whether a step uses the previous tokens."""
        return self.choices.repetition_penalty != 1 or self.ngram is not None

    @property
    def ngram(self) -> int | None:
        """Size of n-grams that must not repeat; None if none can, since a text that contains an
        n-gram twice has at least one more token than the n-gram."""
        size, maximum = self.choices.no_repeat_ngram, self.choices.maximum_length
        if size is None or (not tf.is_tensor(maximum) and size >= maximum):
            return None
        return size

    @property
    def last(self) -> Any:
        """Index of the last step. With an end token, the last step forces it; without one, that
        step would have no effect and is left out."""
        return self.longest if self.model.has_end else self.longest - 1

    def __call__(self, t: Any, tokens: Any, states: Any, history: Any) -> Proposal:
        """The proposal for token t, before tokens are forced.

        Args:
            t: index of the step.
            tokens: shape (rows,): the previous tokens.
            states: the states of the model.
            history: shape (rows, time): all t previous tokens; not used unless `remembers`.
        """
        logits, states, attention = self.model(tokens, states)
        log_probabilities = free = self.model.log_probabilities(logits)
        if self.choices.repetition_penalty != 1:
            logits = penalise_repetition(logits, history, t, self.choices.repetition_penalty)
            free = self.model.log_probabilities(logits)
        bans = tf.constant(self.bans)
        if self.model.has_end and self.choices.minimum_length > 0:
            bans = tf.where(t >= self.choices.minimum_length, bans, self.bans_before)
        scores = free + bans
        if self.ngram is not None:
            repeated = repeated_ngrams(history, t, self.ngram, self.model.ids)
            scores = tf.where(repeated, float("-inf"), scores)
        return Proposal(log_probabilities, free, scores, states, attention)

    def forced(self, t: Any, scores: Any) -> tuple[Any, Any]:
        """Tokens that are forced regardless of their scores: the prefix, and the end token if a row
        has reached its limit or no other token is allowed.

        Returns:
            Whether each row is forced, (rows,), bool, and to which token, () or (rows,).
        """
        forced = (tf.reduce_max(scores, axis=1) == float("-inf")) | (t >= self.limits)
        if self.prefix is None:
            return forced, self.model.end
        prefixed = t < self.prefix_lengths
        # A column of padding, for steps after the prefix to read.
        columns = tf.pad(self.prefix, [[0, 0], [0, 1]])
        prefix = tf.gather(columns, tf.minimum(t, tf.shape(self.prefix)[1]), axis=1)
        return forced | prefixed, tf.where(prefixed, prefix, self.model.end)

    def enforced(self, t: Any, proposal: Proposal) -> Any:
        """The scores of a proposal, (rows, ids); in forced rows, -inf for all other tokens."""
        forced, token = self.forced(t, proposal.scores)
        token = tf.broadcast_to(token, tf.shape(forced))
        return tf.cond(
            tf.reduce_any(forced),
            lambda: tf.where(forced[:, None], force(proposal.free, token, forced), proposal.scores),
            lambda: proposal.scores,
        )
