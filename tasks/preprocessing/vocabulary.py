"""The tokens of a model and their ids."""

import json
import os
import pathlib
from collections import Counter
from functools import cached_property
from typing import Any

import tensorflow as tf

from seqzoo.tasks.atomic_files import replacing
from seqzoo.tasks.data.cache import digest_of
from seqzoo.tasks.errors import SeqzooError

PADDING = 0
UNKNOWN = 1
SPECIAL = 2
"""Ids below this one are reserved."""


class Vocabulary:
    """Tokens in the order of their ids; the first one has id `SPECIAL`.

    Args:
        tokens: distinct tokens.
        scores: the log-probability of each token, if tokens are subwords.
    """

    def __init__(self, tokens: list[str], scores: list[float] | None = None):
        self.tokens = list(tokens)
        self.scores = None if scores is None else list(scores)

    @classmethod
    def learn(cls, counts: Counter, size: int, minimum_count: int) -> "Vocabulary":
        """Makes a vocabulary of the most frequent tokens.

        Args:
            counts: count of each token (bytes, UTF-8).
            size: maximum number of ids, padding and unknown included.
            minimum_count: tokens that occur less often are unknown.
        """
        kept = [(-count, token) for token, count in counts.items() if count >= minimum_count]
        return cls([token.decode("utf-8") for _, token in sorted(kept)[: size - SPECIAL]])

    def __len__(self) -> int:
        """Number of ids, padding and unknown included."""
        return len(self.tokens) + SPECIAL

    @property
    def digest(self) -> str:
        """A digest of the tokens in their order, and of their scores."""
        return digest_of(self.tokens, self.scores)

    @cached_property
    def table(self) -> Any:
        """The lookup table; the exporter of a graph that uses it must track it."""
        # Created outside any graph, because the first use may be in a temporary one.
        with tf.init_scope():
            # An empty table cannot be created; the empty token never occurs.
            keys = tf.constant(self.tokens or [""], tf.string)
            ids = tf.range(SPECIAL, SPECIAL + tf.size(keys))
            initializer = tf.lookup.KeyValueTensorInitializer(keys, ids)
            return tf.lookup.StaticHashTable(initializer, UNKNOWN)

    def ids(self, tokens: Any) -> Any:
        """Ids of a string tensor, ragged or dense: int32, of the same shape."""
        return self.table.lookup(tokens)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes one token per line as a JSON string, since a token may be a line break; with
        scores, each line is a list of the token and its score."""
        rows = self.tokens if self.scores is None else zip(self.tokens, self.scores, strict=True)
        with replacing(path) as temporary:
            lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
            temporary.write_bytes("".join(lines).encode("utf-8"))

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], size: int | None = None, digest: str | None = None
    ) -> "Vocabulary":
        """Reads a file that `save` wrote.

        Args:
            path: the file.
            size: the required number of ids, padding and unknown included; None for any.
            digest: the required `digest`; None for any.

        Raises:
            SeqzooError: the file cannot be read, is not a vocabulary, or is a different one.
        """
        try:
            # Not splitlines(), which also splits at separators that JSON does not escape.
            lines = pathlib.Path(path).read_bytes().decode("utf-8").split("\n")
            rows = [json.loads(line) for line in lines if line]
        except (OSError, ValueError, RecursionError) as error:
            reason = getattr(error, "strerror", None) or error
            raise SeqzooError(f"The vocabulary {path} cannot be read: {reason}.") from error
        vocabulary = _scored(rows) or cls(rows)
        tokens = vocabulary.tokens
        valid = all(isinstance(token, str) for token in tokens) and len(set(tokens)) == len(tokens)
        # With missing tokens, or in another order, a model would still make predictions, but wrong
        # ones.
        valid = valid and size in (None, len(tokens) + SPECIAL)
        if not valid or (digest is not None and digest != vocabulary.digest):
            raise SeqzooError(
                f"The vocabulary {path} is damaged: it is not the vocabulary of the trained model; "
                "copy the files of one run, or train a new run."
            )
        return vocabulary


def _scored(rows: list) -> Vocabulary | None:
    """The vocabulary from rows of a token and its score; None for other rows."""
    pairs = [row for row in rows if isinstance(row, list) and len(row) == 2]
    if not rows or len(pairs) < len(rows) or not all(isinstance(row[1], float) for row in rows):
        return None
    return Vocabulary([token for token, _ in rows], [score for _, score in rows])
