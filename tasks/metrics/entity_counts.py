"""Counts the entities in predicted and true tags with TensorFlow operations, for the metric of
taggers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from seqzoo.tasks.metrics.bio import split_tag


class Spans:
    """Counts entities, as `seqzoo.tasks.metrics.bio.entity_spans` defines them.

    Args:
        names: names of the tags, in the order of their ids; all of them BIO or BIOES.
    """

    def __init__(self, names: Sequence[str]):
        tags = [split_tag(name) for name in names]
        kinds = sorted({kind for _, kind in tags})
        self.kinds = np.array([kinds.index(kind) for _, kind in tags], np.int32)
        self.marks = np.array([prefix != "O" for prefix, _ in tags])
        self.continues = np.array(
            [
                [
                    prefix in ("I", "E") and before in ("B", "I") and kind == kind_before
                    for prefix, kind in tags
                ]
                for before, kind_before in tags
            ]
        )

    def count(self, predicted: Any, truth: Any, inside: Any) -> Any:
        """Numbers of correct entities (both ends and the type), of predicted ones and of true ones.

        Args:
            predicted: predicted ids of tags, (batch, time), int32.
            truth: true ids of tags, (batch, time), int32.
            inside: whether each step is not padding, (batch, time).

        Returns:
            (batch, 3), float32.
        """
        (marked, starts, ends), (true_marked, true_starts, true_ends) = (
            self._parts(tags, inside) for tags in (predicted, truth)
        )
        other_kind = tf.gather(self.kinds, predicted) != tf.gather(self.kinds, truth)
        wrong = (starts != true_starts) | (ends != true_ends) | (marked != true_marked)
        wrong |= true_marked & other_kind
        # An entity is correct if all steps from its first to its last are.
        rows, steps = tf.unstack(tf.shape(truth))
        number = tf.where(true_marked, tf.cumsum(tf.cast(true_starts, tf.int32), 1), 0)
        positions = tf.range(rows)[:, None] * (steps + 1) + number
        errors = tf.math.unsorted_segment_sum(
            tf.cast(wrong, tf.int32), positions, rows * (steps + 1)
        )
        correct = true_starts & (tf.gather(errors, positions) == 0)
        counts = [
            tf.reduce_sum(tf.cast(item, tf.float32), 1) for item in (correct, starts, true_starts)
        ]
        return tf.stack(counts, 1)

    def _parts(self, tags: Any, inside: Any) -> tuple[Any, Any, Any]:
        """Whether steps are in an entity, begin one and end one, each (batch, time)."""
        marked = tf.gather(self.marks, tags) & inside
        pairs = tf.stack([tags[:, :-1], tags[:, 1:]], -1)
        continues = tf.gather_nd(self.continues, pairs) & inside[:, 1:]
        starts = marked & ~tf.pad(continues, [[0, 0], [1, 0]])
        ends = marked & ~tf.pad(continues, [[0, 0], [0, 1]])
        return marked, starts, ends
