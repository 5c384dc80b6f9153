"""A small CRF with random weights, and its inputs; for tests of CRFs."""

from typing import Any

import numpy as np

from seqzoo.tasks.layers.crf import CRF

BATCH, TIME, TAGS = 4, 5, 3
LENGTHS = np.array([5, 3, 0, 1])
EMISSIONS = np.random.default_rng(11).normal(0, 2, (BATCH, TIME, TAGS))
GOLD = np.array([[0, 2, 0, 2, 1], [1, 1, 2, 0, 0], [0] * 5, [1, 2, 2, 2, 2]])
# Forbidden: transitions from 2 to 1, from 1 to 0 and from 0 to itself, 2 as the first tag, and 0 as
# the last one.
ALLOWED: Any = (
    [[False, True, True], [False, True, True], [True, False, True]],
    [True, True, False],
    [False, True, True],
)
PATHS_ALLOWED = np.array([[0, 1, 2, 0, 2], [1, 1, 2, 0, 0], [0] * 5, [1, 2, 2, 2, 2]])


def make(allowed: Any = None, tags: int = TAGS, dtype: str = "float64") -> CRF:
    """A CRF layer with random weights."""
    layer = CRF(tags, allowed, dtype=dtype)
    random = np.random.default_rng(7)
    layer.set_weights([random.normal(0, 1.5, w.shape) for w in layer.get_weights()])
    return layer
