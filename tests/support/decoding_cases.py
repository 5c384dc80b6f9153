"""A small random model with a state, and its correct decoding, by NumPy and enumeration."""

import itertools
from typing import Any

import numpy as np
import tensorflow as tf

from seqzoo.tasks.decoding import Decoding
from seqzoo.tasks.decoding.decoder import Decoded, decode
from seqzoo.tasks.decoding.scoring import score

START, END = 3, 2
"""The end token is neither the first nor the last id; 0 and 1 are banned, as always."""


class Toy:
    """h = tanh(h U + E[token]); logits = h W + b + bias of the row; attention softmax(h A).

    Args:
        ids: size of the vocabulary.
        rows: number of inputs, each with its own initial state and bias.
        source: number of steps that the model attends to, or None for a model without attention.
        sharpness: scale of the logits; the higher, the more the probabilities differ.
    """

    def __init__(self, ids=6, rows=3, units=5, source=None, sharpness=1.5, seed=0):
        random = np.random.default_rng(seed)

        def normal(*shape):
            return random.normal(size=shape).astype(np.float32)

        self.ids, self.rows, self.source = ids, rows, source
        self.initial, self.bias = normal(rows, units), normal(rows, ids)
        self.U, self.E = 2 * normal(units, units), 2 * normal(ids, units)
        self.W, self.b = sharpness * normal(units, ids), normal(ids)
        # So that texts of all lengths occur.
        self.bias[:, END] = np.linspace(5 * sharpness / 2, 0, rows)
        self.A = 3 * normal(units, source or 1)

    def step(self, tokens: Any, states: Any) -> tuple:
        """One decoding step: logits, new states and attention."""
        h = tf.tanh(states["h"] @ self.U + tf.gather(self.E, tokens))
        logits = h @ self.W + self.b + states["bias"]
        attention = None if self.source is None else tf.nn.softmax(h @ self.A)
        return logits, {"h": h, "bias": states["bias"]}, attention

    def states(self, rows: Any = slice(None)) -> dict:
        """The initial states of some rows."""
        return {"h": tf.constant(self.initial[rows]), "bias": tf.constant(self.bias[rows])}

    def decode(self, rows: Any = slice(None), *, more: dict | None = None, **choices) -> Decoded:
        """Decodes with these options of `Decoding` and `more` arguments; returns NumPy arrays."""
        result = decode(
            self.step,
            self.states(rows),
            choices=Decoding(**choices),
            **{"start": START, "end": END, "vocabulary_size": self.ids, **(more or {})},
        )
        return Decoded(*(None if value is None else value.numpy() for value in result))

    def score(self, tokens: Any, lengths: Any, rows: Any = slice(None), end: int | None = END):
        """The log-probability of each text, and of each of its tokens, from `score`."""
        sums, each = score(
            self.step,
            self.states(rows),
            tokens=tokens,
            lengths=lengths,
            start=START,
            end=end,
            vocabulary_size=self.ids,
        )
        return sums.numpy(), each.numpy()

    def trace(self, row: int, tokens: Any) -> tuple[np.ndarray, np.ndarray]:
        """Logits after the start token and after each token, and attention: (1 + tokens, ...)."""
        h, logits, attention = self.initial[row].astype(np.float64), [], []
        for token in [START, *tokens]:
            h = np.tanh(h @ self.U + self.E[token])
            logits.append(h @ self.W + self.b + self.bias[row])
            weights = np.exp(h @ self.A)
            attention.append(weights / weights.sum())
        return np.stack(logits), np.stack(attention)

    def log_probabilities(self, row: int, tokens: Any, end: int | None = END) -> np.ndarray:
        """Log-probability of each token and of the end, (1 + tokens,)."""
        logits, _ = self.trace(row, tokens)
        each = log_softmax(logits)[np.arange(len(tokens) + 1), [*tokens, end or 0]]
        return each if end is not None else np.append(each[:-1], 0.0)

    def exhaustive(self, row: int, longest: int, *, shortest=0, alpha=0.0, beta=0.0) -> list:
        """All possible texts as (score, tokens, log-probability), best first."""
        results = []
        usable = [token for token in range(self.ids) if token > 1 and token != END]
        for length in range(shortest, longest + 1):
            for tokens in itertools.product(usable, repeat=length):
                whole = self.log_probabilities(row, tokens).sum()
                value = whole / ((5 + length + 1) / 6) ** alpha
                if beta:
                    coverage = self.trace(row, tokens)[1].sum(0)
                    value += beta * np.log(np.minimum(coverage, 1)).sum()
                results.append((value, tokens, whole))
        return sorted(results, reverse=True)


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log-probabilities over the last axis."""
    logits = logits - logits.max(-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def texts(found: Decoded) -> list[list[tuple[int, ...]]]:
    """The tokens of each text of each row; checks the padding after them."""
    for tokens, lengths in zip(found.tokens, found.lengths, strict=True):
        for answer, length in zip(tokens, lengths, strict=True):
            assert not answer[length:].any() and END not in answer[:length]
    return [
        [tuple(answer[:length].tolist()) for answer, length in zip(*row, strict=True)]
        for row in zip(found.tokens, found.lengths, strict=True)
    ]


def assert_scored(toy: Toy, found: Decoded, end: int | None = END) -> None:
    """Checks that log-probabilities equal those of `score` and those of NumPy."""
    assert np.isfinite(found.scores[:, 0]).all()
    for answer in range(found.tokens.shape[1]):
        tokens, lengths = found.tokens[:, answer], found.lengths[:, answer]
        # The padding after a sequence must not matter to `score`.
        filled = np.where(np.arange(tokens.shape[1]) < lengths[:, None], tokens, 4)
        sums, each = toy.score(filled, lengths, end=end)
        for row in np.flatnonzero(np.isfinite(found.scores[:, answer])).tolist():
            length = lengths[row]
            expected = toy.log_probabilities(row, tokens[row, :length], end)
            for ours in (each[row], found.token_log_probabilities[row, answer]):
                np.testing.assert_allclose(ours[: length + 1], expected, rtol=1e-4, atol=1e-4)
                assert not ours[length + 1 :].any()
            for ours in (sums[row], found.log_probabilities[row, answer]):
                np.testing.assert_allclose(ours, expected.sum(), rtol=1e-4, atol=1e-4)
