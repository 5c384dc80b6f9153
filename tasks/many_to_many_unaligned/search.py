"""Decodes texts from the probabilities of symbols and blanks at each step: greedy search and prefix
beam search, with TensorFlow operations only."""

from typing import Any, NamedTuple, Protocol

import tensorflow as tf

from seqzoo.tasks.decoding.arrays import free_rows
from seqzoo.tasks.many_to_many_unaligned.ctc import BLANK, IMPOSSIBLE
from seqzoo.tasks.preprocessing.vocabulary import PADDING

EMPTY, NO_PARENT, DEAD = 1, -1, -2
"""Names of the empty prefix, of its parent, and of a beam without a prefix."""

MULTIPLIER = 0x5851F42D4C957F2D
"""Multiplier of a linear congruential generator (Knuth's MMIX), which spreads the bits of names."""


class LanguageModel(Protocol):
    """A prior over texts for the search, in addition to the recogniser. It scores the recogniser's
    ids; `states` is a nested structure of tensors whose first axis indexes rows."""

    def first(self, rows: Any) -> tuple[Any, Any, Any]:
        """Before the first symbol: the states, the scores of all symbols, (rows, ids), and that of
        the end, (rows,)."""
        ...

    def step(self, symbols: Any, states: Any) -> tuple[Any, Any, Any]:
        """After one symbol per row, (rows,): states and scores, as `first` returns them."""
        ...


class Beams(NamedTuple):
    """The prefixes of a search and their log-probabilities, (batch, beams) each.

    Attributes:
        blank: the log-probability of all alignments of a prefix with the steps so far that end in
            a blank.
        symbol: the log-probability of the alignments that end in its last symbol.
        last: the last symbol; `BLANK` for the empty prefix.
        name: identifies a prefix; equal prefixes have equal names.
        parent: the name of the prefix without its last symbol.
        language: the prefix's score under the language model; zeros without one.
    """

    blank: Any
    symbol: Any
    last: Any
    name: Any
    parent: Any
    language: Any


def greedy_search(log_probabilities: Any, lengths: Any) -> tuple[Any, Any, Any, Any]:
    """The text of the most probable alignment.

    Args:
        log_probabilities: (batch, time, ids).
        lengths: number of steps of each row, (batch,), int32.

    Returns:
        Symbols (batch, symbols), int32, followed by `PADDING`; their number (batch,); the first
        step of each symbol, and the step after its last one, (batch, symbols).
    """
    ids = tf.argmax(log_probabilities, -1, tf.int32)
    time = tf.shape(ids)[1]
    ids = tf.where(tf.range(time) < lengths[:, None], ids, BLANK)
    before = tf.pad(ids, [[0, 0], [1, 0]], constant_values=BLANK)[:, :time]
    after = tf.pad(ids, [[0, 0], [0, 1]], constant_values=BLANK)[:, 1:]
    begins, ends = (ids != BLANK) & (ids != before), (ids != BLANK) & (ids != after)
    steps = tf.broadcast_to(tf.range(time), tf.shape(ids))
    symbols, count = _compact(ids, begins)
    return symbols, count, _compact(steps, begins)[0], _compact(steps + 1, ends)[0]


def _compact(values: Any, kept: Any) -> tuple[Any, Any]:
    """Moves the kept values of each row of (rows, time) to the front; returns them and their
    number."""
    ragged = tf.ragged.boolean_mask(values, kept)
    return ragged.to_tensor(PADDING), tf.cast(ragged.row_lengths(), tf.int32)


def prefix_beam_search(
    log_probabilities: Any,
    lengths: Any,
    width: Any,
    count: int,
    language_model: LanguageModel | None = None,
) -> tuple[Any, Any, Any]:
    """The most probable texts, where the probability of a text is summed over its alignments.

    Alignments of the same prefix are summed in every step, as in Hannun et al. 2014, "First-pass
    large vocabulary continuous speech recognition using bi-directional recurrent DNNs", algorithm
    1; a prefix that is reached both from a shorter one and from itself is one beam.

    Args:
        log_probabilities: (batch, time, ids); `IMPOSSIBLE` for symbols that texts must not contain.
        lengths: number of steps of each row, (batch,), int32.
        width: beam size.
        count: number of texts, at most `width`.
        language_model: a prior, whose scores are added to the log-probabilities by which texts are
            ranked.

    Returns:
        Symbols (batch, texts, symbols), int32; the lengths of texts (batch, texts); the scores by
        which they are ranked, (batch, texts), best first, and -inf if there are fewer texts.
    """
    batch, time, size = tf.unstack(tf.shape(log_probabilities))
    beams = _first_beams(batch, width)
    prior = () if language_model is None else tuple(language_model.first(batch * width))
    moves = [tf.TensorArray(tf.int32, time, element_shape=[None, None]) for _ in range(2)]

    def step(t, beams, prior, moves):
        next_scores = 0.0
        if prior:
            next_scores = tf.reshape(prior[1], [batch, width, size])
        inside = (t < lengths)[:, None]
        new, parents, symbols = _advance(beams, log_probabilities[:, t], next_scores)
        unchanged = tf.broadcast_to(tf.range(width), [batch, width])
        parents, symbols = tf.where(inside, parents, unchanged), tf.where(inside, symbols, BLANK)
        beams = Beams(*(tf.where(inside, a, b) for a, b in zip(new, beams, strict=True)))
        if prior:
            prior = _advance_language_model(language_model, prior, parents, symbols)
        moves = [moves[0].write(t, parents), moves[1].write(t, symbols)]
        return t + 1, beams, prior, moves

    _, beams, prior, moves = tf.while_loop(
        lambda t, *_: t < time,
        step,
        (tf.constant(0), beams, prior, moves),
        (
            tf.TensorShape([]),
            Beams(*[tf.TensorShape([None, None])] * len(beams)),
            free_rows(prior),
            [tf.TensorShape(None)] * 2,
        ),
    )
    scores = _either(beams.blank, beams.symbol) + beams.language
    if prior:
        scores += tf.reshape(prior[2], [batch, width])
    scores = tf.where(beams.name == DEAD, float("-inf"), scores)
    scores, order = tf.math.top_k(scores, count)
    symbols = _traced_back(order, moves[0].stack(), moves[1].stack())
    flat = tf.reshape(symbols, [batch * count, time])
    texts, lengths = _compact(flat, flat != BLANK)
    texts = tf.reshape(texts, [batch, count, tf.shape(texts)[1]])
    return texts, tf.reshape(lengths, [batch, count]), scores


def _first_beams(batch: Any, width: Any) -> Beams:
    """The beams before the first step: the empty prefix, and beams without a prefix."""
    first = tf.broadcast_to(tf.range(width) == 0, [batch, width])
    nothing = tf.fill([batch, width], IMPOSSIBLE)
    return Beams(
        blank=tf.where(first, 0.0, nothing),
        symbol=nothing,
        last=tf.fill([batch, width], BLANK),
        name=tf.where(first, tf.constant(EMPTY, tf.int64), DEAD),
        parent=tf.fill([batch, width], tf.constant(NO_PARENT, tf.int64)),
        language=tf.zeros([batch, width]),
    )


def _advance(beams: Beams, step: Any, next_scores: Any) -> tuple[Beams, Any, Any]:
    """The beams after a step, the beam that each comes from, and its new symbol, `BLANK` for none.

    Args:
        beams: the beams before the step.
        step: the log-probabilities of the step, (batch, ids).
        next_scores: the language model's scores of the next symbol of each beam, (batch, beams,
            ids); 0 without one.
    """
    batch, width = tf.unstack(tf.shape(beams.last))
    size = tf.shape(step)[1]
    either = _either(beams.blank, beams.symbol)
    # A prefix that stays the same: followed by a blank, or by its last symbol again.
    blank = either + step[:, BLANK, None]
    symbol = beams.symbol + tf.gather(step, beams.last, axis=1, batch_dims=1)
    # A prefix that gets longer: by a second copy of its last symbol only after a blank.
    ids = tf.range(size)
    before = tf.where(ids == beams.last[..., None], beams.blank[..., None], either[..., None])
    longer = tf.where(ids == BLANK, IMPOSSIBLE, before + step[:, None])
    # A longer prefix that is already a beam is added to that beam.
    same = beams.parent[:, :, None] == beams.name[:, None, :]  # (batch, child, parent)
    has_parent = tf.reduce_any(same, 2)
    positions = tf.stack(
        [
            tf.broadcast_to(tf.range(batch)[:, None], [batch, width]),
            tf.argmax(same, 2, tf.int32),
            tf.where(has_parent, beams.last, BLANK),
        ],
        2,
    )
    symbol = _either(symbol, tf.gather_nd(longer, positions))
    longer = tf.tensor_scatter_nd_update(longer, positions, tf.fill([batch, width], IMPOSSIBLE))
    stays = _either(blank, symbol) + beams.language
    grows = tf.reshape(longer + next_scores + beams.language[..., None], [batch, width * size])
    score, chosen = tf.math.top_k(tf.concat([stays, grows], 1), width)
    stayed = chosen < width
    position = tf.maximum(chosen - width, 0)
    parents = tf.where(stayed, chosen, position // size)
    added = tf.where(stayed, BLANK, position % size)

    def of_parent(values: Any) -> Any:
        return tf.gather(values, tf.minimum(parents, width - 1), batch_dims=1)

    extended = tf.gather(tf.reshape(longer, [batch, width * size]), position, batch_dims=1)
    name = of_parent(beams.name)
    alive = score > IMPOSSIBLE / 2
    language = of_parent(beams.language)
    if not isinstance(next_scores, float):
        flat = tf.reshape(next_scores, [batch, width * size])
        language += tf.where(stayed, 0.0, tf.gather(flat, position, batch_dims=1))
    new = Beams(
        blank=tf.where(stayed, of_parent(blank), IMPOSSIBLE),
        symbol=tf.where(stayed, of_parent(symbol), extended),
        last=tf.where(stayed, of_parent(beams.last), added),
        name=tf.where(alive, tf.where(stayed, name, _longer_name(name, added)), DEAD),
        parent=tf.where(alive, tf.where(stayed, of_parent(beams.parent), name), NO_PARENT),
        language=language,
    )
    return new, parents, tf.where(alive, added, BLANK)


def _longer_name(name: Any, symbol: Any) -> Any:
    """The name of a prefix with one more symbol: a 64-bit hash, so that collisions are practically
    impossible."""
    mixed = tf.bitwise.bitwise_xor(name, tf.cast(symbol, tf.int64) + 1) * MULTIPLIER
    return tf.bitwise.bitwise_xor(mixed, tf.bitwise.right_shift(mixed, tf.constant(29, tf.int64)))


def _advance_language_model(model: Any, prior: tuple, parents: Any, symbols: Any) -> tuple:
    """The outputs of the language model after a step of the search: states, scores of the symbols,
    scores of the end."""
    batch, width = tf.unstack(tf.shape(parents))
    rows = tf.reshape(tf.range(batch)[:, None] * width + parents, [-1])
    kept = tf.nest.map_structure(lambda item: tf.gather(item, rows), prior)
    added = tf.reshape(symbols, [-1])

    def step() -> tuple:
        new = model.step(added, kept[0])

        def choose(a: Any, b: Any) -> Any:
            shape = tf.concat([[batch * width], tf.ones([tf.rank(b) - 1], tf.int32)], 0)
            return tf.where(tf.reshape(added != BLANK, shape), a, b)

        return tf.nest.map_structure(choose, new, kept)

    # Most steps are blanks, which do not extend any prefix.
    return tf.cond(tf.reduce_any(added != BLANK), step, lambda: kept)


def _traced_back(order: Any, parents: Any, symbols: Any) -> Any:
    """Traces back the beams that `order` selects after the last step; returns the symbol that each
    step added.

    Args:
        order: (batch, texts).
        parents: (time, batch, beams).
        symbols: (time, batch, beams).

    Returns: (batch, texts, time), `BLANK` if there is none.
    """
    time = tf.shape(parents)[0]
    written = tf.TensorArray(tf.int32, time, element_shape=[None, None])

    def back(t, at, written):
        written = written.write(t, tf.gather(symbols[t], at, batch_dims=1))
        return t - 1, tf.gather(parents[t], at, batch_dims=1), written

    *_, written = tf.while_loop(
        lambda t, *_: t >= 0,
        back,
        (time - 1, order, written),
        (tf.TensorShape([]), tf.TensorShape([None, None]), tf.TensorShape(None)),
    )
    return tf.transpose(written.stack(), [1, 2, 0])


def _either(a: Any, b: Any) -> Any:
    """The logarithm of the sum of two probabilities."""
    larger, smaller = tf.maximum(a, b), tf.minimum(a, b)
    return larger + tf.math.log1p(tf.exp(smaller - larger))
