"""Predictions of a conditional random field: the best sequences of tags."""

import math
from typing import Any

import numpy as np

from seqzoo.tasks.export.predict.tags import Tags

FORBIDDEN = -1e30
"""The lowest score; transitions that are not allowed have it."""


class CRFTags(Tags):
    """The most probable sequence of tags, and if several are asked for, the next best ones."""

    def answer(self, outputs: dict[str, np.ndarray], length: Any) -> dict[str, Any]:
        result = super().answer(outputs, length)
        count = self.model.answer.get("top", 1)  # exports of earlier versions have none
        if count > 1:
            paths = n_best_tags(*self._field(outputs, length), count)
            result["alternatives"] = [
                (
                    " ".join(self.model.answer["names"][tag] for tag in ids),
                    result["probability"] * math.exp(score - paths[0][1]),
                )
                for ids, score in paths
            ]
        return result

    def best(
        self, outputs: dict[str, np.ndarray], length: Any
    ) -> tuple[list[int], list[float], float]:
        return best_tags(*self._field(outputs, length))

    def _field(
        self, outputs: dict[str, np.ndarray], length: Any
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        field = {name: np.array(values) for name, values in self.model.answer["crf"].items()}
        return field, outputs["scores"][:length].astype(np.float64)


def best_tags(
    crf: dict[str, np.ndarray], scores: np.ndarray
) -> tuple[list[int], list[float], float]:
    """The Viterbi path through a conditional random field, the marginal probability of each of its
    tags (forward-backward algorithm), and the log-probability of the path.

    Args:
        crf: "transitions", (tags, tags) from row to column, and "start" and "end", (tags,).
        scores: the emission scores, (time, tags).
    """
    if not len(scores):  # an empty input has no tags
        return [], [], 0.0
    ((ids, score),) = n_best_tags(crf, scores, 1)
    forward, backward = [crf["start"] + scores[0]], [crf["end"]]
    for emission in scores[1:]:
        forward.append(np.logaddexp.reduce(forward[-1][:, None] + crf["transitions"]) + emission)
    for emission in scores[:0:-1]:
        backward.append(np.logaddexp.reduce(crf["transitions"] + emission + backward[-1], axis=1))
    total = np.logaddexp.reduce(forward[-1] + crf["end"])
    marginals = np.exp(np.array(forward) + np.array(backward[::-1]) - total)
    return ids, marginals[range(len(ids)), ids].tolist(), score - float(total)


def n_best_tags(
    crf: dict[str, np.ndarray], scores: np.ndarray, count: int
) -> list[tuple[list[int], float]]:
    """The most probable sequences of tags that are allowed, best first, and their scores.

    Source: Seshadri and Sundberg 1994, the parallel list Viterbi algorithm.

    Args:
        crf: as for `best_tags`.
        scores: the emission scores, (time, tags).
        count: largest number of sequences.
    """
    if not len(scores):
        return [([], 0.0)]
    tags = scores.shape[1]
    # The scores of the best prefixes that end in each tag, (tags, prefixes).
    best, pointers = (crf["start"] + scores[0])[:, None], []
    for emission in scores[1:]:
        paths = (best[:, :, None] + crf["transitions"][:, None]).reshape(-1, tags)
        before = np.argsort(-paths, axis=0, kind="stable")[:count]
        pointers.append((before.T, best.shape[1]))
        best = np.take_along_axis(paths, before, axis=0).T + emission[:, None]
    ends = (best + crf["end"][:, None]).ravel()
    results = []
    for place in np.argsort(-ends, kind="stable")[:count]:
        if results and ends[place] <= FORBIDDEN / 2:
            break
        tag, rank = divmod(int(place), best.shape[1])
        ids = [tag]
        for before, ranks in reversed(pointers):
            tag, rank = divmod(int(before[tag, rank]), ranks)
            ids.insert(0, tag)
        results.append((ids, float(ends[place])))
    return results
