"""Generates complete texts from a function that computes one step, with TensorFlow operations only.

Everything here runs eagerly, in `tf.function` and in a SavedModel, for any number of rows and
steps.
"""

from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import tensorflow as tf

from seqzoo.tasks.decoding.arrays import largest, repeat
from seqzoo.tasks.decoding.beam import BeamSearch
from seqzoo.tasks.decoding.guided import GuidedModel, Model
from seqzoo.tasks.decoding.rows import generate_rows
from seqzoo.tasks.decoding.sampling import chooser, numbers_for
from seqzoo.tasks.decoding.settings import Decoding
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.preprocessing.vocabulary import PADDING, UNKNOWN


class Decoded(NamedTuple):
    """Generated texts; time is the length of the longest one.

    Log-probabilities are those of the model: constraints, penalties and the temperature affect only
    which tokens are chosen.

    Attributes:
        tokens: shape (batch, texts, time), int32, without the end token; `PADDING` after the text.
        lengths: shape (batch, texts), int32: number of tokens, without the end token.
        log_probabilities: shape (batch, texts): sum over the tokens and the end token; -inf, with
            a length of 0, for texts that a beam search did not find.
        scores: shape (batch, texts): the scores by which "beam" ranks texts, best first; otherwise
            the log-probabilities.
        token_log_probabilities: shape (batch, texts, time + 1): the terms of the sum; that of the
            end token is at the text's length, followed by zeros.
        attention: shape (batch, texts, time, source): the attention of the step that generated
            each token; zeros after the text. None if the model has none, or none was requested.
        terms: shape (batch, texts), int32: number of terms of the sum, one per token and one for
            the end token, if there is one.
    """

    tokens: Any
    lengths: Any
    log_probabilities: Any
    scores: Any
    token_log_probabilities: Any
    attention: Any
    terms: Any

    def token_probabilities(self) -> Any:
        """The geometric mean of the probabilities of each text's tokens and its end token, (batch,
        texts); unlike the probability of the text, it does not fall with its length."""
        return tf.exp(self.log_probabilities / tf.cast(tf.maximum(self.terms, 1), tf.float32))


def decode(
    step: Callable,
    states: Any,
    *,
    choices: Decoding,
    start: Any,
    end: int | None,
    vocabulary_size: int,
    constants: Any = None,
    source_lengths: Any = None,
    maximum_lengths: Any = None,
    prefix: Any = None,
    prefix_lengths: Any = None,
    seed: Any = None,
    banned: Collection[int] = (PADDING, UNKNOWN),
    report_attention: bool = True,
) -> Decoded:
    """Generates texts.

    The end token is forced when a text reaches its maximum length, and when the constraints allow
    nothing else. It is included in every log-probability, so that those of long and short texts can
    be compared; they equal those of `seqzoo.tasks.decoding.scoring.score`.

    Args:
        step: (tokens (rows,) int32, states) -> (logits (rows, vocabulary), new states, attention
            (rows, source) or None). The new states have the shapes and types of the old ones. Rows
            are independent; those of one input are adjacent.
        states: the initial states, a nest of tensors with a leading batch axis.
        choices: how texts are generated.
        start: token before the first one: an id, or a tensor (batch,).
        end: id of the end token; None if there is none, and all texts reach their maximum length.
        vocabulary_size: number of ids.
        constants: nest of tensors with a leading batch axis that all steps need, such as the
            memory of attention; `step` gets it, for all rows, as a third argument. Beams share it,
            while their states are reordered in each step.
        source_lengths: shape (batch,): how many steps of the source count for the coverage
            penalty; None for all.
        maximum_lengths: shape (batch,): maximum length of each row, if below that of `choices`.
        prefix: shape (batch, time), int32: tokens that texts begin with, regardless of the
            constraints; they are included in lengths and log-probabilities.
        prefix_lengths: shape (batch,): how many of them are forced; None for all.
        seed: for "sample": a number, a pair of numbers, a tensor (batch, 2) with a pair for each
            row, so that samples depend only on the row, or None for different texts each time.
        banned: ids that must not be generated.
        report_attention: whether the texts include the model's attention, if it has any, which
            makes decoding slower.

    Returns:
        The generated texts.

    Raises:
        SeqzooError: arguments are incompatible.
    """
    if getattr(choices, "language_model", None) is not None:
        raise SeqzooError(
            "`language_model` is for many-to-many-unaligned; a model that generates token by "
            "token is already a language model of its texts.",
            field="language_model",
        )
    if getattr(choices, "replace_unknown", False) and UNKNOWN in banned:
        raise SeqzooError(
            "`replace_unknown` is for many-to-many-encoder-decoder; leave it out, since other "
            "models never generate unknown tokens.",
            field="replace_unknown",
        )
    if maximum_lengths is not None:
        maximum_lengths = tf.cast(maximum_lengths, tf.int32)
    if prefix is not None:
        prefix = tf.cast(prefix, tf.int32)
    batch = _batch_size(states, constants, maximum_lengths, prefix)
    limits: Any = choices.maximum_length
    if tf.is_tensor(limits):
        limits = tf.fill([batch], limits)
    if maximum_lengths is not None:
        limits = tf.minimum(limits, maximum_lengths)
    if prefix is not None:
        if prefix_lengths is None:
            prefix_lengths = tf.fill([batch], tf.shape(prefix)[1])
        prefix_lengths = tf.cast(prefix_lengths, tf.int32)
        # A prefix is always output in full.
        limits = tf.maximum(limits, tf.maximum(prefix_lengths, 0))

    beam = choices.method == "beam"
    width = choices.beam_width if beam else choices.count
    start = tf.broadcast_to(tf.cast(start, tf.int32), [batch])
    start, states = repeat((start, states), width)
    if constants is not None:
        constants = repeat(constants, width)
    model = Model(step, constants, vocabulary_size, end)
    row_limits = limits if isinstance(limits, int) else repeat(limits, width)
    if prefix is not None:
        prefix, prefix_lengths = repeat((prefix, prefix_lengths), width)
    guided = GuidedModel(model, choices, banned, row_limits, prefix, prefix_lengths)
    # The loops must know this in advance; a graph prunes the unused parts of this step.
    attention = model(start, states)[2]
    attends = report_attention and attention is not None
    if beam:
        source = None if attention is None else tf.shape(attention)[1]
        if source_lengths is None:
            source_lengths = tf.fill([batch], 0 if source is None else source)
        source_lengths = tf.cast(source_lengths, tf.int32)
        if source is None and choices.coverage_penalty > 0:
            raise SeqzooError(
                "`coverage_penalty` must be 0 for a model without attention, "
                f"got {choices.coverage_penalty!r}.",
                field="coverage_penalty",
            )
        search = BeamSearch(guided, batch, limits, source, source_lengths, attends)
        results = search.run(states, start)
    else:
        choose = chooser(choices, numbers_for(choices, batch, seed), prefix)
        results = generate_rows(guided, states, start, choose, attends)
        results = {
            name: tf.reshape(value, tf.concat([[batch, width], tf.shape(value)[1:]], 0))
            for name, value in results.items()
        }
    return _trim(results, model.has_end)


def _batch_size(*values: Any) -> Any:
    for value in tf.nest.flatten(values):
        if value is not None:
            return tf.shape(value)[0]
    raise SeqzooError("`maximum_lengths` must give the number of rows if there are no states.")


def _trim(results: dict, has_end: bool) -> Decoded:
    """Truncates the results of a search to the length of the longest text.

    Args:
        results: the results.
        has_end: whether each text has an end token.
    """
    lengths = results["lengths"]
    time = largest(tf.reshape(lengths, [-1]))
    terms = results["log_probabilities"][:, :, : time + 1]
    total = tf.reduce_sum(terms, axis=2)
    scores = results.get("scores", total)
    attention = results.get("attention")
    if attention is not None:
        inside = tf.range(time) < lengths[:, :, None]
        attention = tf.where(inside[..., None], attention[:, :, :time], 0.0)
    return Decoded(
        tokens=results["tokens"][:, :, :time],
        lengths=lengths,
        log_probabilities=tf.where(scores == float("-inf"), scores, total),
        scores=scores,
        token_log_probabilities=terms,
        attention=attention,
        terms=lengths + int(has_end),
    )
