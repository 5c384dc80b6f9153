"""Exact hard monotonic attention: the probability of a text, summed over all alignments."""

from typing import Any

import keras
import tensorflow as tf

from seqzoo.tasks.layers.copying import ABSENT, log_of
from seqzoo.tasks.layers.scan import scan

EXCLUDED = -1e4
"""Score of padding, and log-probability of impossible steps: so low that its exponential is 0 in
float32, but small enough in magnitude for differences to be exact."""


@keras.saving.register_keras_serializable(package="seqzoo")
class MonotonicAttention(keras.layers.Layer):
    """Each token comes from one step of a memory, never from one before that of the previous token.

    The step a_i of token y_i is a latent variable. With the decoder's state h_i and the memory m:

        score(i, j) = h_i . U m_j / sqrt(units)
        p(a_i = j | a_(i-1) = k) = exp(score(i, j)) / sum over l >= k of exp(score(i, l)), j >= k
        prior(i, j) = sum over k of p(a_(i-1) = k | y_1 ... y_(i-1)) p(a_i = j | a_(i-1) = k)
        p(y_i | y_1 ... y_(i-1)) = sum over j of prior(i, j) p(y_i | h_i, m_j)
        p(a_i = j | y_1 ... y_i) is proportional to prior(i, j) p(y_i | h_i, m_j)

    The first token may come from any step. The log-probabilities of all tokens sum to that of the
    text over all alignments (the forward algorithm), so the loss is exact, and decoding, token by
    token, computes the same values.

    Source: Wu and Cotterell 2019, "Exact Hard Monotonic Attention for Character-Level
    Transduction", section 3; the score does not depend on the previous step, except that earlier
    steps are excluded.

    Args:
        units: number of units of the queries.
        **kwargs: passed to `keras.layers.Layer`.
    """

    def __init__(self, units: int, **kwargs: Any):
        super().__init__(autocast=False, **kwargs)  # probabilities stay float32
        self.units = units
        self.projection = keras.layers.Dense(units, use_bias=False, dtype=self.dtype_policy)

    def keys(self, memory: Any) -> Any:
        """U m: (batch, source, features) -> (batch, source, units)."""
        return self.projection(memory)

    def scores_of(self, queries: Any, keys: Any, mask: Any) -> Any:
        """Scores of the steps of a memory, `EXCLUDED` for padding.

        Args:
            queries: (batch, steps, units).
            keys: `keys` of the memory.
            mask: which steps of the memory exist, (batch, source); at least the first one of each
                row must.

        Returns:
            Shape (batch, steps, source), float32.
        """
        queries, keys = (tf.cast(item, "float32") for item in (queries, keys))
        scores = tf.matmul(queries, keys, transpose_b=True) / self.units**0.5
        return tf.where(mask[:, None], scores, EXCLUDED)

    def call(self, emissions: Any, scores: Any, tokens: Any) -> tuple[Any, Any]:
        """Log-probabilities of the tokens of target texts, and the attention.

        Args:
            emissions: log p(y | h_i, m_j), (batch, steps, source, ids).
            scores: the scores, as `scores_of` returns them.
            tokens: the previous token of each step, (batch, steps); that of the first step is not
                used.

        Returns:
            Shapes (batch, steps, ids) and (batch, steps, source).
        """
        before = tf.gather(emissions[:, :-1], tokens[:, 1:], axis=3, batch_dims=2)
        before = tf.pad(before, [[0, 0], [1, 0], [0, 0]])

        def step(_: Any, prior: Any, scores: Any, before: Any) -> tuple[Any, Any]:
            prior = transition(scores, posterior(prior, before))
            return prior, prior

        _, priors = scan(step, first_step(scores[:, 0]), [scores, before], "float32")
        return total(emissions, priors), priors

    def step(self, emissions: Any, scores: Any, tokens: Any, state: list) -> tuple[Any, Any, list]:
        """Computes one step of generating a text.

        Args:
            emissions: (rows, source, ids).
            scores: (rows, source).
            tokens: the previous tokens, (rows,).
            state: the state after the previous step; at first `first_state`.

        Returns:
            Log-probabilities (rows, ids), attention (rows, source), and the new state.
        """
        prior, last = state
        before = tf.gather(last, tokens, axis=2, batch_dims=1)
        prior = transition(scores, posterior(prior, before))
        return total(emissions, prior), prior, [prior, emissions]

    def first_state(self, mask: Any, ids: int) -> list:
        """The state before the first token, which may come from any step."""
        shape = tf.shape(mask)
        return [first_step(mask), tf.zeros([shape[0], shape[1], ids])]

    def get_config(self) -> dict:
        return {**super().get_config(), "units": self.units}

    def get_build_config(self) -> None:
        """None: the network that contains this layer builds it."""


def first_step(steps: Any) -> Any:
    """Probability 1 for the first step of each row, (batch, source)."""
    rows, source = tf.unstack(tf.shape(steps))
    return tf.one_hot(tf.zeros([rows], tf.int32), source)


def posterior(prior: Any, likelihoods: Any) -> Any:
    """Posterior probabilities of steps, (batch, source), given an observed token.

    Args:
        prior: probabilities of the steps, (batch, source).
        likelihoods: log-likelihood of the token at each step, (batch, source).
    """
    return tf.nn.softmax(log_of(prior) + likelihoods)


def transition(scores: Any, before: Any) -> Any:
    """Probabilities of the steps of a token, given those of the previous token, (batch, source).

    Computed with logarithms, since steps that are still allowed may have scores far below those of
    earlier steps.
    """
    later = tf.math.cumulative_logsumexp(scores, -1, reverse=True)
    logs = tf.maximum(log_of(before), EXCLUDED) - later
    return tf.exp(scores + tf.math.cumulative_logsumexp(logs, -1))


def total(emissions: Any, priors: Any) -> Any:
    """log sum over j of prior(j) p(y | j): (..., source, ids) and (..., source) -> (..., ids)."""
    logs = tf.reduce_logsumexp(emissions + log_of(priors)[..., None], -2)
    return tf.where(logs > ABSENT / 2, logs, float("-inf"))
