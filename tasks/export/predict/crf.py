"""Predictions of a conditional random field: the best sequence of tags."""

import math
from typing import Any

import numpy as np

from seqzoo.tasks.export.predict.tags import Tags


class CRFTags(Tags):
    """The most probable sequence of tags."""

    def best(self, outputs: dict[str, np.ndarray], length: Any) -> tuple[list[int], float]:
        scores = outputs["scores"][:length].astype(np.float64)
        return best_tags(self.model.answer["crf"], scores)


def best_tags(crf: dict[str, Any], scores: np.ndarray) -> tuple[list[int], float]:
    """The Viterbi path through a conditional random field, and its log-probability.

    Args:
        crf: "transitions", (tags, tags) from row to column, and "start" and "end", (tags,).
        scores: the emission scores, (time, tags).
    """
    if not len(scores):  # an empty input has no tags
        return [], 0.0
    transitions, start, end = (np.array(crf[name]) for name in ("transitions", "start", "end"))
    best = forward = start + scores[0]
    pointers = []
    for emission in scores[1:]:
        paths = best[:, None] + transitions
        pointers.append(paths.argmax(0))
        best = paths.max(0) + emission
        sums = forward[:, None] + transitions
        highest = sums.max(0)
        forward = highest + np.log(np.exp(sums - highest).sum(0)) + emission
    ids = [int((best + end).argmax())]
    for pointer in reversed(pointers):
        ids.insert(0, int(pointer[ids[0]]))
    ends = forward + end
    total = ends.max() + math.log(np.exp(ends - ends.max()).sum())
    return ids, float((best + end).max() - total)
