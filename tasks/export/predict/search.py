"""Greedy search, sampling and beam search over the tokens of a text."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqzoo.tasks.export.predict.token_ids import PADDING, SPECIAL


class Search:
    """A search for texts.

    Args:
        model: the `Model`, whose part "step" is run.
        options: the decoding options, by name.
    """

    def __init__(self, model: Any, options: dict[str, Any]):
        about = model.answer
        self.model = model
        self.options = options
        self.limit = options["maximum_length"]
        self.size = SPECIAL + len(about["vocabulary"])
        self.has_end = about["end"] is not None
        self.end = about["end"] if self.has_end else self.size
        self.bans = np.zeros(self.size + (not self.has_end), np.float32)
        self.bans[about["banned"]] = -np.inf
        self.bans[self.end] = 0.0 if self.has_end else -np.inf

    def propose(
        self,
        t: int,
        tokens: Sequence[int],
        states: dict[str, np.ndarray],
        histories: Sequence[list[int]],
        constants: dict[str, np.ndarray],
    ) -> tuple[np.ndarray, np.ndarray, Any, dict[str, np.ndarray]]:
        """Log-probabilities of the next token, its scores for the search, the attention, and the
        new states.

        Args:
            t: index of the step.
            tokens: the last token of each row.
            states: the states, by name.
            histories: all tokens of each row.
            constants: other inputs of the step, by name.
        """
        read = np.where(np.asarray(tokens) < self.size, tokens, PADDING).astype(np.int32)
        outputs, states = self.model.step(states, tokens=read, **constants)
        logits = outputs["logits"]
        logs = penalised = self.log_probabilities(logits)
        penalty, size = self.options["repetition_penalty"], self.options["no_repeat_ngram"]
        if penalty != 1:
            lowered = np.where(logits > 0, logits / penalty, logits * penalty)
            seen = np.zeros(logits.shape, bool)
            for row, history in enumerate(histories):
                seen[row, history] = True
            penalised = self.log_probabilities(np.where(seen, lowered, logits))
        scores = penalised + self.bans
        if self.has_end and t < self.options["minimum_length"]:
            scores[:, self.end] = -np.inf
        if size is not None:
            for row, history in enumerate(histories):
                last = history[len(history) - size + 1 :] if size > 1 else []
                for position in range(size - 1, len(history)):
                    if history[position - size + 1 : position] == last:
                        scores[row, history[position]] = -np.inf
        forced = np.isneginf(scores.max(1)) | (t >= self.limit)
        for row in np.flatnonzero(forced):
            scores[row] = -np.inf
            scores[row, self.end] = max(penalised[row, self.end], -1e4)
        return logs, scores, outputs.get("attention"), states

    def log_probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Logits -> log-probabilities, with a column for the end if there is no end token."""
        logits = logits.astype(np.float32)
        shifted = logits - logits.max(1, keepdims=True)
        logs = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
        return logs if self.has_end else np.pad(logs, [(0, 0), (0, 1)])

    def rows(
        self,
        states: dict[str, np.ndarray],
        starts: Sequence[int],
        constants: dict[str, np.ndarray],
        randoms: Sequence[np.random.Generator],
    ) -> list[tuple[list[int], float]]:
        """Greedy search or sampling for all inputs at once, with random numbers for each; returns
        the tokens and the log-probability of each text."""
        tokens: list[list[int]] = [[] for _ in starts]
        totals = [0.0] * len(starts)
        previous, open_rows = list(starts), set(range(len(starts)))
        last = self.limit if self.has_end else self.limit - 1
        for t in range(last + 1):
            logs, scores, _, states = self.propose(t, previous, states, tokens, constants)
            for row in sorted(open_rows):
                if self.options["method"] == "sample":
                    chosen = self.sample(scores[row], randoms[row])
                else:
                    chosen = int(np.argmax(scores[row]))
                totals[row] += float(logs[row, chosen])
                previous[row] = chosen
                if chosen == self.end:
                    open_rows.discard(row)
                else:
                    tokens[row].append(chosen)
            if not open_rows:
                break
        return list(zip(tokens, totals, strict=True))

    def sample(self, scores: np.ndarray, random: np.random.Generator) -> int:
        """Draws a token from the most probable ones."""
        options = self.options
        order = np.argsort(-scores, kind="stable")
        order = order[: options["top_k"] or len(order)]
        ranked = scores[order].astype(np.float64) / options["temperature"]
        weights = np.exp(ranked - ranked[0])
        weights /= weights.sum()
        if options["top_p"] is not None:
            before = np.cumsum(weights) - weights
            weights = np.where(before < options["top_p"], weights, 0)
            weights /= weights.sum()
        return int(random.choice(order, p=weights))

    def beam(
        self, states: dict[str, np.ndarray], start: int, constants: dict[str, np.ndarray]
    ) -> list[tuple[list[int], float]]:
        """Beam search for one input; returns the tokens and the log-probability of the best
        texts."""
        width, count = self.options["beam_width"], self.options["count"]
        alpha, beta = self.options["length_penalty"], self.options["coverage_penalty"]
        source = constants["mask"].sum() if constants else None
        states = {name: np.repeat(state, width, 0) for name, state in states.items()}
        constants = {name: np.repeat(array, width, 0) for name, array in constants.items()}
        beams: list[tuple[list[int], float]] = [([], 0.0)] * width
        scores = np.array([0.0] + [-np.inf] * (width - 1), np.float32)
        previous, ended, coverage = [start] * width, 0, np.zeros(1, np.float32)
        finished: list[tuple[Any, list[int], float]] = []
        for t in range(self.limit + 1):
            histories = [tokens for tokens, _ in beams]
            logs, gains, attention, states = self.propose(t, previous, states, histories, constants)
            sums = (scores[:, None] + gains).reshape(-1)
            best = np.argsort(-sums, kind="stable")[: min(2, gains.shape[1]) * width]
            if beta:
                coverage = coverage + attention
            following = []
            for rank, position in enumerate(best):
                row, token = divmod(int(position), gains.shape[1])
                total = beams[row][1] + float(logs[row, token])
                if token != self.end:
                    following.append((sums[position], row, token, total))
                elif rank < width and sums[position] > -np.inf:
                    score = sums[position] / self.length_penalty(t, alpha)
                    if beta:
                        seen = coverage[row, :source]
                        tiny = np.finfo(np.float32).tiny
                        score += beta * np.log(np.clip(seen, tiny, 1)).sum()
                    finished.append((score, beams[row][0], total))
                    ended += 1
            finished = sorted(finished, key=lambda text: -text[0])[:count]
            following += [(-np.inf, 0, PADDING, 0.0)] * (width - len(following))
            following = following[:width]
            rows = [row for _, row, _, _ in following]
            states = {name: state[rows] for name, state in states.items()}
            coverage = coverage[rows] if beta else coverage
            beams = [(beams[row][0] + [token], total) for _, row, token, total in following]
            previous = [token for _, _, token, _ in following]
            scores = np.array([score for score, *_ in following], np.float32)
            worst = finished[-1][0] if len(finished) == count else -np.inf
            reachable = scores[0] / self.length_penalty(self.limit, alpha)
            soon = scores[0] / self.length_penalty(t + 1, alpha)
            enough = ended >= width and (width == 1 or soon <= worst)
            if enough or (width > 1 and reachable <= worst):
                break
        return [(tokens, total) for _, tokens, total in finished]

    def length_penalty(self, tokens: int, alpha: float) -> float:
        """The divisor of a text's score (Wu et al. 2016, equation 14)."""
        return ((5.0 + tokens + self.has_end) / 6.0) ** alpha if alpha else 1.0
