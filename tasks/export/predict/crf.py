"""Predictions of a conditional random field: the best sequence of tags."""

from typing import Any

import numpy as np

from seqzoo.tasks.export.predict.tags import Tags


class CRFTags(Tags):
    """The most probable sequence of tags."""

    def best(
        self, outputs: dict[str, np.ndarray], length: Any
    ) -> tuple[list[int], list[float], float]:
        scores = outputs["scores"][:length].astype(np.float64)
        return best_tags(self.model.answer["crf"], scores)


def best_tags(crf: dict[str, Any], scores: np.ndarray) -> tuple[list[int], list[float], float]:
    """The Viterbi path through a conditional random field, the marginal probability of each of its
    tags (forward-backward algorithm), and the log-probability of the path.

    Args:
        crf: "transitions", (tags, tags) from row to column, and "start" and "end", (tags,).
        scores: the emission scores, (time, tags).
    """
    if not len(scores):  # an empty input has no tags
        return [], [], 0.0
    transitions, start, end = (np.array(crf[name]) for name in ("transitions", "start", "end"))
    best = start + scores[0]
    forward, backward, pointers = [best], [end], []
    for emission in scores[1:]:
        paths = best[:, None] + transitions
        pointers.append(paths.argmax(0))
        best = paths.max(0) + emission
        forward.append(np.logaddexp.reduce(forward[-1][:, None] + transitions) + emission)
    for emission in scores[:0:-1]:
        backward.append(np.logaddexp.reduce(transitions + emission + backward[-1], axis=1))
    ids = [int((best + end).argmax())]
    for pointer in reversed(pointers):
        ids.insert(0, int(pointer[ids[0]]))
    total = np.logaddexp.reduce(forward[-1] + end)
    marginals = np.exp(np.array(forward) + np.array(backward[::-1]) - total)
    return ids, marginals[range(len(ids)), ids].tolist(), float((best + end).max() - total)
