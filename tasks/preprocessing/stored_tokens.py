"""Tokens of texts on disk: each text of a column is split only once, for all models that are
trained on the column.

Tokens are stored as indices of distinct tokens, without a vocabulary, so a different data
split, vocabulary or seed needs only a table from these indices to ids.
"""

import json
import os
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import tensorflow as tf

from seqzoo.tasks.data import cache
from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.data.stored_columns import AT_ONCE, MANY, TextColumn, rows_digest
from seqzoo.tasks.data.stored_sequences import StoredSequences
from seqzoo.tasks.preprocessing.base import empty

CODE_POINTS = 0x110000

WIDTHS = ("uint8", "uint16", "uint32")

_LENGTHS: WeakValueDictionary[str, np.ndarray] = WeakValueDictionary()


class StoredTokens:
    """The tokens of a column of texts.

    Args:
        entry: the entry of the cache.
    """

    def __init__(self, entry: cache.Entry):
        self.entry = entry
        text = entry.array("types")[:].tobytes()
        ends = np.cumsum(entry.array("type-lengths")[:]).tolist()
        self.types = [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]
        self.flat = entry.array("flat")
        self.all_lengths = _lengths(entry)

    @classmethod
    def of(cls, column: TextColumn, features: Any) -> "StoredTokens":
        """The tokens of a complete column, read from the cache, or computed and stored there.

        Args:
            column: the texts.
            features: a `TextFeatures` whose splitting does not depend on its vocabulary, or that
                already has one.

        Raises:
            SeqzooError: the cache cannot be written, or the entry was removed at once.
        """
        template = features.template
        options = {name: getattr(template, name) for name in ("input", "nfc", "lowercase")}
        options["maximum_length"] = template.maximum_length
        options["joined"] = features.joined
        if template.input == "subwords":
            options["vocabulary"] = [features.vocabulary.tokens, features.vocabulary.scores]
        key = f"tokens-{cache.digest_of(column.key, options, tf.__version__)}"
        entry = cache.find(key)
        if entry is None:
            with cache.making(key) as writer:
                _write(writer, column, features)
                writer.about = {"what": column.key, "options": options["input"]}
            entry = cache.find_made(key)
        return cls(entry)

    def counts(self, column: TextColumn) -> Counter[bytes]:
        """How often each token occurs in the rows of a column, or of a part of it."""
        stored = self.entry.remembered("counts", rows_digest(column))
        if stored is not None and (counts := self._from_json(stored)) is not None:
            return counts
        rows = _rows(column)
        inside = np.zeros(len(self.all_lengths), bool)
        inside[rows] = True
        result = np.zeros(len(self.types), np.int64)
        start = 0
        for first in range(0, len(inside), MANY):
            lengths = self.all_lengths[first : first + MANY]
            stop = start + int(lengths.sum(dtype=np.int64))
            tokens = self.flat[start:stop][np.repeat(inside[first : first + MANY], lengths)]
            result += np.bincount(tokens, minlength=len(result))
            start = stop
        self.entry.remember(json.dumps(result.tolist()), "counts", rows_digest(column))
        return self._counter(result.tolist())

    def _counter(self, counts: list[int]) -> Counter[bytes]:
        pairs = zip(self.types, counts, strict=True)
        return Counter({token: count for token, count in pairs if count})

    def _from_json(self, text: str) -> Counter[bytes] | None:
        """Stored counts; None if they are damaged."""
        try:
            return self._counter(json.loads(text))
        except (ValueError, TypeError):
            return None

    def encode(self, examples: Examples, features: Any) -> StoredSequences:
        """The ids of examples whose inputs are rows of the column.

        Raises:
            SeqzooError: an input has no tokens.
        """
        column: TextColumn = examples.inputs
        rows = _rows(column)
        lengths = self.all_lengths[rows]
        if not lengths.all():
            raise empty(examples.location(int(np.argmin(lengths))))
        del lengths
        ids = np.zeros(len(self.types), np.int32)
        for start in range(0, len(self.types), MANY):
            types = self.types[start : start + MANY]
            ids[start : start + MANY] = features.ids(tf.constant(types, tf.string)).numpy()
        key = cache.digest_of(self.entry.key, rows_digest(column), ids)
        return StoredSequences(self.entry, self.flat, self.all_lengths, rows, ids, key)


def _lengths(entry: cache.Entry) -> np.ndarray:
    """The length of each text, in the smallest type that can hold them all; all data splits share
    one array."""
    lengths = _LENGTHS.get(entry.key)
    if lengths is None:
        stored = entry.array("lengths")
        pieces = [slice(start, start + MANY) for start in range(0, len(stored), MANY)]
        longest = max((int(stored[piece].max()) for piece in pieces), default=0)
        lengths = np.empty(len(stored), np.min_scalar_type(longest))
        for piece in pieces:
            lengths[piece] = stored[piece]
        _LENGTHS[entry.key] = lengths
    return lengths


def _rows(column: TextColumn) -> np.ndarray:
    return np.arange(column.count, dtype=np.int32) if column.rows is None else column.rows


def _write(writer: cache.Writer, column: TextColumn, features: Any) -> None:
    """Splits all texts of a column."""
    characters = features.template.input == "characters"
    types: Any = _CodePoints() if characters else _Tokens()
    split = _character_splitter(features) if characters else _token_splitter(features)
    width, all_rows = 0, TextColumn(column.data, column.offsets, column.key)
    for tokens, lengths in _in_threads(split, all_rows):
        indices = types.indices(tokens)
        while len(types) > 1 << (8 << width):
            width += 1
            writer.widen("flat", WIDTHS[width])
        writer.append("flat", indices.astype(WIDTHS[width]))
        writer.append("lengths", lengths.astype(np.int32))
    text = types.encoded()
    writer.append("types", np.frombuffer(b"".join(text), np.uint8))
    writer.append("type-lengths", np.array([len(item) for item in text], np.int32))


def _in_threads(
    split: Callable[[list[bytes]], tuple[Any, np.ndarray]], column: TextColumn
) -> Iterator[tuple[Any, np.ndarray]]:
    """Yields the tokens of a column's texts, chunk by chunk; chunks are split in parallel."""
    workers = min(os.cpu_count() or 1, 8)
    with ThreadPoolExecutor(workers) as pool:
        pending: deque = deque()
        for start in range(0, len(column), AT_ONCE):
            pending.append(pool.submit(split, column.utf8(start, start + AT_ONCE)))
            if len(pending) > workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _token_splitter(features: Any) -> Callable[[list[bytes]], tuple[Any, np.ndarray]]:
    """Texts -> their distinct tokens and the index of each token, and the number of tokens."""

    def distinct(texts: Any) -> tuple[Any, Any, Any]:
        tokens = features.split(features.normalized(texts))
        chunk_tokens, indices = tf.unique(tokens.flat_values)
        return chunk_tokens, indices, tokens.row_lengths()

    graph: Any = tf.function(
        distinct, input_signature=[tf.TensorSpec((None,), tf.string)], autograph=False
    )

    def split(texts: list[bytes]) -> tuple[Any, np.ndarray]:
        chunk_tokens, indices, lengths = graph(tf.constant(texts, tf.string))
        return (chunk_tokens.numpy().tolist(), indices.numpy()), lengths.numpy()

    return split


def _character_splitter(features: Any) -> Callable[[list[bytes]], tuple[Any, np.ndarray]]:
    """Texts -> the code points of their characters, and the number of characters of each text.

    The characters are the same as those of `split_characters`, which takes a hundred times as long.
    """
    template = features.template
    normalized: Any = None
    if template.nfc or template.lowercase:
        signature = [tf.TensorSpec((None,), tf.string)]
        normalized = tf.function(features.normalized, input_signature=signature, autograph=False)

    def split(texts: list[bytes]) -> tuple[Any, np.ndarray]:
        if normalized is not None:
            texts = normalized(tf.constant(texts, tf.string)).numpy().tolist()
        joined = b"".join(texts)
        points = np.frombuffer(joined.decode("utf-8").encode("utf-32-le"), np.uint32)
        # A character begins at each byte that does not continue one.
        begins = np.cumsum((np.frombuffer(joined, np.uint8) & 0xC0) != 0x80)
        ends = np.cumsum([len(text) for text in texts])
        counts = np.diff(np.concatenate([[0], begins])[ends], prepend=0)
        maximum = template.maximum_length
        if maximum is not None and (counts > maximum).any():
            steps = np.arange(len(points)) - np.repeat(np.cumsum(counts) - counts, counts)
            points, counts = points[steps < maximum], np.minimum(counts, maximum)
        return points, counts

    return split


class _Tokens:
    """Distinct tokens in the order of their first occurrence."""

    def __init__(self) -> None:
        self.known: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self.known)

    def indices(self, tokens: tuple[list[bytes], np.ndarray]) -> np.ndarray:
        """The index of each token.

        Args:
            tokens: the distinct tokens of a chunk, and the index of each token among them.
        """
        distinct, at = tokens
        known = self.known
        ids = [known.setdefault(token, len(known)) for token in distinct]
        return np.array(ids, np.uint32)[at] if ids else np.zeros(0, np.uint32)

    def encoded(self) -> list[bytes]:
        """The tokens in UTF-8, in the order of their indices."""
        return list(self.known)


class _CodePoints:
    """The distinct characters of stored texts, as code points, and their indices."""

    def __init__(self) -> None:
        self.known = np.full(CODE_POINTS, -1, np.int32)
        self.points: list[int] = []

    def __len__(self) -> int:
        return len(self.points)

    def indices(self, points: np.ndarray) -> np.ndarray:
        """The index of each code point."""
        indices = self.known[points]
        if (indices < 0).any():
            new = np.unique(points[indices < 0])
            self.known[new] = np.arange(len(self.points), len(self.points) + len(new))
            self.points += new.tolist()
            indices = self.known[points]
        return indices

    def encoded(self) -> list[bytes]:
        """The characters in UTF-8, in the order of their indices."""
        return [chr(point).encode("utf-8") for point in self.points]
