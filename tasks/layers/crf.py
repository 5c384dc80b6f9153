"""A linear-chain conditional random field: a joint distribution over the tags of a sequence."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from seqzoo.cells.options import whole_number
from seqzoo.tasks.layers.scan import scan

FORBIDDEN = -1e30
"""Score of forbidden tags: so low that it outweighs the score of any allowed path, yet sums of it
stay finite."""


@keras.saving.register_keras_serializable(package="seqzoo")
class CRF(keras.layers.Layer):
    """A distribution over sequences of tags y, given emissions e, the scores of a network.

        score(y) = start[y_1] + sum_t e_t[y_t] + sum_t transitions[y_t-1, y_t] + end[y_n]
        P(y) = exp(score(y)) / sum over all y' of length n of exp(score(y'))

    A call returns the emissions unchanged, so that a model with this layer after its network tracks
    and saves the layer's weights; the methods do the rest. They take tensors and arrays, in graphs
    and eagerly. Steps beyond a row's length are padding: their emissions and tags may be anything.
    The mask is not passed on, because a loss of one number per sequence cannot be multiplied by it.
    Everything is computed in float32, whatever the precision of the emissions, or in float64 with
    the dtype policy float64.

    Source: Lafferty, McCallum and Pereira 2001; as a layer on a recurrent network: Lample et al.
    2016, section 2.2.

    Args:
        tags: number of tags, at least 1.
        allowed: which tags may occur, three nested lists of bool: transitions from the tag of a
            row to the tag of a column, (tags, tags); tags that a sequence may begin with, (tags,);
            tags that it may end with, (tags,). All by default. `bio_constraints` makes them.
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: an argument is out of range or has the wrong shape.
    """

    def __init__(self, tags: int, allowed: Sequence[Sequence] | None = None, **kwargs: Any):
        tags = whole_number("tags", tags)
        super().__init__(autocast=False, **kwargs)
        self.supports_masking = True
        self.tags = tags
        self._constrained = allowed is not None
        self._moves, self._starts, self._ends = _checked(allowed, tags)
        self._precision = "float64" if self.compute_dtype == "float64" else "float32"
        # Created here, so that the methods work before the layer is called.
        self.transitions = self._weight("transitions", (tags, tags))
        self.start = self._weight("start", (tags,))
        self.end = self._weight("end", (tags,))
        self.built = True

    def _weight(self, name: str, shape: tuple[int, ...]) -> Any:
        # `autocast=False`: otherwise a layer in half precision that calls a method would round the
        # weights.
        return self.add_weight(
            name=name, shape=shape, initializer="zeros", dtype=self._precision, autocast=False
        )

    def call(self, emissions: Any) -> Any:
        """The emissions, unchanged, in the precision of the methods."""
        # A new tensor: if nothing is cast, the input itself, with Keras' mask, would be returned.
        return tf.identity(ops.cast(emissions, self._precision))

    def compute_mask(self, _: Any, mask: Any = None) -> None:
        """None: the methods take `lengths` instead of a mask."""
        return None

    def log_likelihood(self, emissions: Any, tags: Any, lengths: Any) -> Any:
        """Log-probability of the true tags; its mean, negated, is the loss.

        Args:
            emissions: shape (batch, time, tags).
            tags: ids, shape (batch, time).
            lengths: number of steps of each row, shape (batch,).

        Returns:
            Shape (batch,); 0 for a row of length 0; `FORBIDDEN` for tags that are not allowed, with
            a useful gradient.

        Raises:
            ValueError: the emissions are not of shape (batch, time, tags).
        """
        emissions, valid = self._prepare(emissions, lengths)
        emissions = _lowered(emissions)  # a shift that all paths have in common
        tags = _masked_tags(tags, valid)
        gold, possible = self._path_scores(emissions, tags, valid)
        start, into, end = self.scores()

        def step(first: Any, alpha: Any, emission: Any, active: Any) -> tuple[Any, None]:
            before = ops.logsumexp(alpha[:, None, :] + into, axis=-1)
            moved = ops.where(first, start, before) + emission
            return ops.where(active[:, None], moved, alpha), None

        # Emissions are relative to the scores of the true path. If a model is certain of it, the
        # sum over all paths is about 1, so that a small loss does not drown in rounding errors.
        relative = emissions - gold[:, :, None]
        alpha, _ = scan(step, ops.zeros_like(emissions[:, 0]), (relative, valid))
        value = -ops.logsumexp(alpha + end, axis=-1)
        # Tags that are not allowed: the lowest value, with the gradient that they would have if
        # forbidden steps had no part in their score.
        lowest = FORBIDDEN + value - ops.stop_gradient(value)
        value = ops.where(possible, value, lowest)
        return ops.where(valid[:, 0], value, 0.0)

    def decode(self, emissions: Any, lengths: Any) -> tuple[Any, Any]:
        """The most probable tags, by the Viterbi algorithm.

        Args:
            emissions: shape (batch, time, tags).
            lengths: number of steps of each row, shape (batch,).

        Returns:
            Ids of shape (batch, time), int32, 0 in the padding; and their scores by the equation
            above, shape (batch,), 0 for a row of length 0. If no sequence of a row's length is
            allowed, the score is `FORBIDDEN` and the tags are meaningless.

        Raises:
            ValueError: the emissions are not of shape (batch, time, tags).
        """
        time = ops.shape(emissions)[1]
        emissions, valid = self._prepare(emissions, lengths)
        tags = self._best_path(emissions, valid)
        scores, possible = self._path_scores(emissions, tags, valid)
        return tags[:, :time], ops.where(possible, ops.sum(scores, axis=1), FORBIDDEN)

    def best_tags(self, emissions: Any, lengths: Any) -> Any:
        """The tags of `decode` alone, (batch, time), int32, with fewer operations to trace."""
        time = ops.shape(emissions)[1]
        return self._best_path(*self._prepare(emissions, lengths))[:, :time]

    def _best_path(self, emissions: Any, valid: Any) -> Any:
        """The most probable tags of prepared emissions, (batch, time), int32."""
        start, into, end = self.scores()
        same = ops.arange(self.tags, dtype="int32")

        def step(first: Any, alpha: Any, emission: Any, active: Any) -> tuple[Any, Any]:
            paths = alpha[:, None, :] + into  # (batch, tags, previous tags)
            moved = ops.where(first, start, ops.max(paths, axis=-1)) + emission
            before = ops.cast(ops.argmax(paths, axis=-1), "int32")
            active = active[:, None]
            return ops.where(active, _lowered(moved), alpha), ops.where(active, before, same)

        def back(_: Any, tag: Any, before: Any) -> tuple[Any, Any]:
            return tf.gather(before, tag, batch_dims=1), tag

        alpha, pointers = scan(step, ops.zeros_like(emissions[:, 0]), (emissions, valid), "int32")
        last = ops.cast(ops.argmax(alpha + end, axis=-1), "int32")
        _, tags = scan(back, last, (pointers,), "int32", reverse=True)
        return _masked_tags(tags, valid)

    def n_best(self, emissions: Any, lengths: Any, count: int) -> tuple[Any, Any]:
        """The most probable sequences of tags, best first, by the Viterbi algorithm with a list of
        the `count` best prefixes for each tag.

        Source: Seshadri and Sundberg 1994, the parallel list Viterbi algorithm.

        Args:
            emissions: shape (batch, time, tags).
            lengths: number of steps of each row, shape (batch,).
            count: number of sequences, at least 1.

        Returns:
            Ids of shape (batch, count, time), int32, 0 in the padding; and their scores by the
            equation above, (batch, count). If fewer sequences of a row's length are allowed, the
            other scores are `FORBIDDEN` and their tags are meaningless.

        Raises:
            ValueError: the emissions are not of shape (batch, time, tags).
        """
        time = ops.shape(emissions)[1]
        emissions, valid = self._prepare(emissions, lengths)
        start, into, end = self.scores()
        batch, ranks = ops.shape(emissions)[0], ops.arange(count, dtype="int32")
        same = ops.reshape(ops.arange(self.tags * count, dtype="int32"), (self.tags, count))

        def step(first: Any, alpha: Any, emission: Any, active: Any) -> tuple[Any, Any]:
            # (batch, tags, previous tags * count): each tag after each of the best prefixes.
            paths = alpha[:, None] + into[None, :, :, None]
            paths = tf.reshape(paths, (batch, self.tags, self.tags * count))
            values, before = tf.math.top_k(paths, count)
            initial = ops.where(ranks == 0, start[:, None], FORBIDDEN)[None]
            moved = ops.where(first, initial, values) + emission[:, :, None]
            highest = ops.max(moved, axis=(1, 2), keepdims=True)
            active = active[:, None, None]
            return ops.where(active, moved - highest, alpha), ops.where(active, before, same)

        def back(_: Any, path: Any, before: Any) -> tuple[Any, Any]:
            before = tf.reshape(before, (batch, self.tags * count))
            return ops.take_along_axis(before, path, axis=1), path

        alpha = ops.zeros_like(emissions[:, 0])[:, :, None] + ops.zeros((count,), emissions.dtype)
        alpha, pointers = scan(step, alpha, (emissions, valid), "int32")
        ends = tf.reshape(alpha + end[:, None], (batch, self.tags * count))
        values, last = tf.math.top_k(ends, count)
        _, paths = scan(back, last, (pointers,), "int32", reverse=True)
        tags = ops.where(valid[:, :, None], paths // count, 0)
        tags = ops.transpose(tags, (0, 2, 1))

        def repeated(values: Any) -> Any:
            return ops.repeat(values, count, axis=0)

        flat = tf.reshape(tags, (batch * count, -1))
        scores, possible = self._path_scores(repeated(emissions), flat, repeated(valid))
        scores = tf.reshape(ops.sum(scores, axis=1), (batch, count))
        # Lists with too few prefixes contain invalid ones, whose values are below any path's.
        real = (values > FORBIDDEN / 2) & (valid[:, :1] | (ranks == 0))
        real &= tf.reshape(possible, (batch, count))
        return tags[:, :, :time], ops.where(real, scores, FORBIDDEN)

    def marginals(self, emissions: Any, lengths: Any) -> Any:
        """Probability of each tag at each step, over all sequences.

        Args:
            emissions: shape (batch, time, tags).
            lengths: number of steps of each row, shape (batch,).

        Returns:
            Shape (batch, time, tags); 0 in the padding. If no sequence of a row's length is
            allowed, they are meaningless.

        Raises:
            ValueError: the emissions are not of shape (batch, time, tags).
        """
        time = ops.shape(emissions)[1]
        emissions, valid = self._prepare(emissions, lengths)
        start, into, end = self.scores()
        out_of = ops.transpose(into)

        def forward(first: Any, alpha: Any, emission: Any, active: Any) -> tuple[Any, Any]:
            before = ops.logsumexp(alpha[:, None, :] + into, axis=-1)
            moved = ops.where(first, start, before) + emission
            alpha = ops.where(active[:, None], _lowered(moved), alpha)
            return alpha, alpha

        def backward(_: Any, beta: Any, emission: Any, active: Any) -> tuple[Any, Any]:
            moved = ops.logsumexp((emission + beta)[:, None, :] + out_of, axis=-1)
            return ops.where(active[:, None], _lowered(moved), beta), beta

        steps, first = (emissions, valid), ops.zeros_like(emissions[:, 0])
        _, alphas = scan(forward, first, steps, self._precision)
        _, betas = scan(backward, first + end, steps, self._precision, reverse=True)
        return ops.where(valid[:, :, None], ops.softmax(alphas + betas), 0.0)[:, :time]

    def _prepare(self, emissions: Any, lengths: Any) -> tuple[Any, Any]:
        """Emissions, zero in the padding, and which steps are not padding, (batch, time). At least
        one step is returned, since loops without steps give arrays of unknown shape."""
        shape = tuple(emissions.shape)
        if len(shape) != 3 or shape[2] != self.tags:
            raise ValueError(
                f"`emissions` must have the shape (batch, time, {self.tags}), got {shape}."
            )
        emissions = ops.cast(emissions, self._precision)
        if not shape[1]:
            missing = ops.maximum(1 - ops.shape(emissions)[1], 0)
            emissions = tf.pad(emissions, [[0, 0], [0, missing], [0, 0]])
            emissions = tf.ensure_shape(emissions, (shape[0], None, self.tags))
        steps = ops.arange(ops.shape(emissions)[1], dtype="int32")
        valid = steps[None, :] < ops.cast(lengths, "int32")[:, None]
        return ops.where(valid[:, :, None], emissions, 0.0), valid

    def scores(self) -> tuple[Any, Any, Any]:
        """`start` (tags,), transposed `transitions` (tags, previous tags) and `end` (tags,), with
        `FORBIDDEN` for transitions that are not allowed."""
        into = ops.where(self._moves.T, ops.transpose(self.transitions), FORBIDDEN)
        start = ops.where(self._starts, self.start, FORBIDDEN)
        return start, into, ops.where(self._ends, self.end, FORBIDDEN)

    def _path_scores(self, emissions: Any, tags: Any, valid: Any) -> tuple[Any, Any]:
        """The contribution of each step of a sequence of tags to its score, (batch, time), and
        whether the sequence is allowed, (batch,).

        Forbidden steps contribute nothing, so that the others keep a useful gradient.
        """
        moves = ops.reshape(ops.where(self._moves, self.transitions, 0.0), [-1])
        pairs = tf.pad(tags, [[0, 0], [1, 0]])[:, :-1] * self.tags + tags
        first = ops.arange(ops.shape(tags)[1], dtype="int32")[None, :] == 0
        last = valid & ~tf.pad(valid, [[0, 0], [0, 1]])[:, 1:]

        # `ops.take` also has negative indices, which takes several operations to trace each.
        emitted = tf.gather(emissions, tags, batch_dims=2)
        begins = tf.gather(ops.where(self._starts, self.start, 0.0), tags)
        ended = tf.gather(ops.where(self._ends, self.end, 0.0), tags)
        scores = emitted + ops.where(first, begins, tf.gather(moves, pairs))
        scores = ops.where(valid, scores, 0.0) + ops.where(last, ended, 0.0)

        allowed = ops.where(
            first, tf.gather(self._starts, tags), tf.gather(self._moves.reshape(-1), pairs)
        )
        allowed = (allowed | ~valid) & (tf.gather(self._ends, tags) | ~last)
        return scores, ops.all(allowed, axis=1)

    def get_config(self) -> dict:
        allowed = [part.tolist() for part in (self._moves, self._starts, self._ends)]
        return {
            **super().get_config(),
            "tags": self.tags,
            "allowed": allowed if self._constrained else None,
        }


def _checked(allowed: Sequence[Sequence] | None, tags: int) -> list[np.ndarray]:
    """The three parts of `allowed` as arrays of bool."""
    shapes = [(tags, tags), (tags,), (tags,)]
    if allowed is None:
        return [np.ones(shape, bool) for shape in shapes]
    parts = [np.array(part, bool) for part in allowed]
    if [part.shape for part in parts] != shapes:
        raise ValueError(
            f"`allowed` must have three parts of the shapes {shapes}, got "
            f"{[part.shape for part in parts]}."
        )
    return parts


def _masked_tags(tags: Any, valid: Any) -> Any:
    """Tags as int32, 0 in the padding, in the shape of `valid`."""
    tags = ops.cast(tags, "int32")
    added = ops.shape(valid)[1] - ops.shape(tags)[1]
    return ops.where(valid, tf.pad(tags, [[0, 0], [0, added]]), 0)


def _lowered(scores: Any) -> Any:
    """Scores shifted so that the highest of each row is 0, for precision in long sequences."""
    # The subtracted value cancels out, so it needs no gradient.
    return scores - ops.stop_gradient(ops.max(scores, axis=-1, keepdims=True))
