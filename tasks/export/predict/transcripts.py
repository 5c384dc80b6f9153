"""Texts from the probabilities of symbols at each step (connectionist temporal classification)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqzoo.tasks.export.predict.detokenization import text_answer, text_of
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
        results = []
        for rows, length in zip(logs, tensors["lengths"], strict=True):
            ranked, spans = transcripts(rows[:length], about["banned"], options)
            symbols = [text_of({**about, "continues": True}, [symbol]) for symbol in ranked[0][0]]
            alignment = [[symbol, *span] for symbol, span in zip(symbols, spans, strict=True)]
            results.append({**text_answer(about, ranked, 0), "alignment": alignment})
        return results


def transcripts(
    logs: np.ndarray, banned: list[int], options: dict[str, Any]
) -> tuple[list[tuple[tuple[int, ...], float]], list[tuple[int, int]]]:
    """The symbols and log-probability of the most probable texts; and the first step of each symbol
    of the first text, with the step after its last one.

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
    ranked = [(text, log_likelihood(logs, text)) for text in texts]
    return ranked, best_alignment(allowed, texts[0])


def best_alignment(logs: np.ndarray, text: Sequence[int]) -> list[tuple[int, int]]:
    """The first step of each symbol in the most probable alignment of a text, and the step after
    its last one (Viterbi)."""
    if not text:
        return []
    ids, jumps = _positions(text)
    total = np.where(np.arange(len(ids)) < 2, logs[0, ids], -np.inf)
    moves = []
    for step in logs[1:]:
        candidates = np.stack(_before(total, jumps))
        moves.append(candidates.argmax(0))
        total = candidates.max(0) + step[ids]
    path = [len(ids) - 1 - int(total[-2] > total[-1])]
    for move in reversed(moves):
        path.append(path[-1] - int(move[path[-1]]))
    steps = [np.flatnonzero(np.array(path[::-1]) == at) for at in range(1, len(ids), 2)]
    return [(int(where[0]), int(where[-1]) + 1) for where in steps]


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
    ids, jumps = _positions(text)
    forward = np.full(len(ids), -np.inf)
    forward[0] = 0.0
    for step in logs:
        forward = np.logaddexp.reduce(_before(forward, jumps)) + step[ids]
    return float(np.logaddexp.reduce(forward[-2:]))


def _positions(text: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """The symbols of a text with blanks around them, and which of them can follow the symbol
    before that blank directly."""
    ids = np.full(2 * len(text) + 1, PADDING)
    ids[1::2] = text
    jumps = np.zeros(len(ids), bool)
    jumps[2:] = (ids[2:] != PADDING) & (ids[2:] != ids[:-2])
    return ids, jumps


def _before(values: np.ndarray, jumps: np.ndarray) -> list[np.ndarray]:
    """For each position, the values of those that can precede it: the same, the one before, and the
    one before a blank."""
    one = np.concatenate([[-np.inf], values[:-1]])
    two = np.concatenate([[-np.inf] * 2, values])[: len(values)]
    return [values, one, np.where(jumps, two, -np.inf)]
