"""Texts from the probabilities of symbols at each step (connectionist temporal classification)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqzoo.tasks.export.predict.detokenization import text_answer
from seqzoo.tasks.export.predict.predictions import Predictions
from seqzoo.tasks.export.predict.token_ids import PADDING


class Transcripts(Predictions):
    """Predictions of a CTC model."""

    def predict(
        self, inputs: Sequence[Any], decoding: dict[str, Any] | None
    ) -> list[dict[str, Any]]:
        about, tensors = self.model.answer, self.model.tensors(inputs)
        options = {**about["decoding"], **(decoding or {})}
        logs = self.model.run("serving", **tensors)["log_probabilities"].astype(np.float64)
        return [
            text_answer(about, transcripts(rows[:length], about["banned"], options), 0)
            for rows, length in zip(logs, tensors["lengths"], strict=True)
        ]


def transcripts(
    logs: np.ndarray, banned: list[int], options: dict[str, Any]
) -> list[tuple[tuple[int, ...], float]]:
    """The symbols and log-probability of the most probable texts.

    Args:
        logs: log-probabilities (time, symbols), with the blank at 0.
        banned: ids of symbols that texts must not contain.
        options: the decoding options, by name.
    """
    allowed = logs.copy()
    allowed[:, banned] = -np.inf
    if options["method"] == "greedy":
        path = allowed.argmax(1)
        before = np.concatenate([[PADDING], path[:-1]])
        texts = [tuple(path[(path != PADDING) & (path != before)].tolist())]
    else:
        texts = prefix_beam_search(allowed, options["beam_width"])[: options["count"]]
    return [(text, log_likelihood(logs, text)) for text in texts]


def prefix_beam_search(logs: np.ndarray, width: int) -> list[tuple[int, ...]]:
    """Prefix beam search over log-probabilities (time, symbols): texts, most probable first."""
    # Log-probabilities of the alignments that end in a blank, and of those that do not.
    beams: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, -np.inf)}
    for step in logs:
        following: dict[tuple[int, ...], tuple[float, float]] = {}

        def add(prefix, blank, symbol, following=following):
            old = following.get(prefix, (-np.inf, -np.inf))
            following[prefix] = (np.logaddexp(old[0], blank), np.logaddexp(old[1], symbol))

        best = np.argsort(-step, kind="stable")[: width + 1].tolist()
        symbols = {*best, *(prefix[-1] for prefix in beams if prefix)} - {PADDING}
        for prefix, (blank, symbol) in beams.items():
            either = np.logaddexp(blank, symbol)
            repeated = symbol + step[prefix[-1]] if prefix else -np.inf
            add(prefix, either + step[PADDING], repeated)
            for next_symbol in symbols:
                before = blank if prefix and next_symbol == prefix[-1] else either
                add((*prefix, next_symbol), -np.inf, before + step[next_symbol])
        ranked = sorted(following.items(), key=lambda beam: -np.logaddexp(*beam[1]))
        beams = {prefix: logs for prefix, logs in ranked[:width] if np.logaddexp(*logs) > -np.inf}
    return list(beams)


def log_likelihood(logs: np.ndarray, text: Sequence[int]) -> float:
    """The log-probability of a text, over all alignments (the forward algorithm)."""
    ids = np.full(2 * len(text) + 1, PADDING)
    ids[1::2] = text
    jumps = np.zeros(len(ids), bool)
    jumps[2:] = (ids[2:] != PADDING) & (ids[2:] != ids[:-2])
    forward = np.full(len(ids), -np.inf)
    forward[0] = 0.0
    for step in logs:
        one = np.concatenate([[-np.inf], forward[:-1]])
        two = np.concatenate([[-np.inf] * 2, forward])[: len(ids)]
        over_blank = np.where(jumps, two, -np.inf)
        forward = np.logaddexp(np.logaddexp(forward, one), over_blank) + step[ids]
    return float(np.logaddexp.reduce(forward[-2:]))
