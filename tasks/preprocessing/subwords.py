"""Subwords: pieces of words that are learned from texts; words are split by TensorFlow operations.

The pieces are those of SentencePiece's unigram language model. Its processor is a custom operation,
without which an exported model could not be loaded; so the search for the most probable pieces of a
word is implemented here with TensorFlow's own operations.

Source: Kudo 2018, "Subword Regularization", section 3 (the model and the Viterbi search); Kudo and
Richardson 2018, "SentencePiece" (the space symbol).
"""

import io
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import sentencepiece
import tensorflow as tf

from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.layers.scan import scan
from seqzoo.tasks.preprocessing.vocabulary import SPECIAL, UNKNOWN, Vocabulary

SPACE = "▁"
"""The first character of a word, SentencePiece's symbol for a space."""

MAX_PIECE_LENGTH = 16
"""Maximum number of characters of a piece."""

UNKNOWN_COST = 10.0
"""Difference in log-probability, in nats, between the least probable piece and a character that
occurs in no piece."""

MIN_CHARACTER_COVERAGE = 0.98
"""Minimum fraction of the characters that SentencePiece has to cover."""

LINE = 3000
"""Maximum number of bytes of a line; SentencePiece skips longer ones."""

PART = LINE // 4
"""Number of characters of the parts of a word that is longer than a line."""

BOUNDARY = "\u2585"
"""The character with which SentencePiece marks boundaries."""


def learn_subwords(
    chunks: Iterable[Any], size: int, minimum_count: int = 1, reserved: Sequence[str] = ()
) -> Vocabulary:
    """Learns the pieces of a unigram model from texts.

    Args:
        chunks: arrays of texts (bytes, UTF-8), with whitespace collapsed by `collapse_spaces`.
        size: maximum number of ids, padding and unknown included.
        minimum_count: characters that occur less often are unknown, the rarest first, as long as
            they make up at most 2% of all characters.
        reserved: tokens before the pieces, which do not occur in texts.

    Raises:
        SeqzooError: there are no texts, or they have more than `size` distinct characters.
    """
    texts = [text.decode("utf-8") for chunk in chunks for text in chunk]
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=(line for text in texts for line in _lines(text)),
            model_writer=model,
            model_type="unigram",
            vocab_size=size - SPECIAL - len(reserved) + 1,
            hard_vocab_limit=False,
            max_sentencepiece_length=MAX_PIECE_LENGTH,
            character_coverage=_coverage(texts, minimum_count),
            normalization_rule_name="identity",
            unk_id=0,
            bos_id=-1,
            eos_id=-1,
            minloglevel=2,
        )
    except RuntimeError as error:
        reason = str(error).rpartition("] ")[2].strip() or "the texts are empty"
        raise SeqzooError(
            f"{size} subwords cannot be learned from these texts ({reason}); change "
            "`vocabulary_size`, or use characters."
        ) from error
    learned = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    pieces = range(1, len(learned))  # 0 is the unknown token
    return Vocabulary(
        [*reserved, *(learned.id_to_piece(piece) for piece in pieces)],
        [0.0] * len(reserved) + [learned.get_score(piece) for piece in pieces],
    )


def collapse_spaces(texts: Any) -> Any:
    """Strings -> the same with each run of whitespace replaced by a single space."""
    return tf.strings.strip(tf.strings.regex_replace(texts, rf"[\s\x0b\pZ{SPACE}]+", " "))


def split_subwords(texts: Any, vocabulary: Vocabulary) -> Any:
    """Strings (batch,) -> their most probable pieces, ragged (batch, pieces).

    A character that occurs in no piece becomes a separate piece.

    Args:
        texts: the texts, in UTF-8.
        vocabulary: the vocabulary from `learn_subwords`.
    """
    words = tf.strings.split(collapse_spaces(texts))
    # Each distinct word is split only once.
    distinct, positions = tf.unique(words.flat_values, tf.int64)
    pieces = tf.gather(_best_pieces(SPACE + distinct, vocabulary), positions)
    return words.with_values(pieces).merge_dims(1, 2)


def join_subwords(pieces: Any) -> Any:
    """Pieces (..., time), "" for none -> strings (...), with a space before each word."""
    return tf.strings.regex_replace(tf.strings.reduce_join(pieces, -1), SPACE, " ")


def _best_pieces(words: Any, vocabulary: Vocabulary) -> Any:
    """Words -> their most probable pieces, ragged (words, pieces)."""
    characters = tf.strings.unicode_split(words, "UTF-8")
    candidates, scores = _candidates(characters, vocabulary)
    scores = characters.with_values(scores).to_tensor(0.0)  # (words, characters, MAX_PIECE_LENGTH)
    scores = tf.pad(scores, [[0, 0], [0, 1], [0, 0]])  # the loop needs at least one step
    shorter = _shorter(scores)
    count = tf.shape(scores)[1]
    positions = tf.broadcast_to(tf.range(count), tf.shape(shorter))
    last = tf.cast(characters.row_lengths(), tf.int32) - 1

    def backward(_: Any, end: Any, position: Any, shorter: Any) -> tuple[Any, Any]:
        ends = position == end
        return tf.where(ends, end - shorter - 1, end), ends

    _, ends = scan(backward, last, (positions, shorter), "bool", reverse=True)
    inside = positions <= last[:, None]
    indices = tf.stack([tf.range(tf.size(characters.flat_values)), shorter[inside]], 1)
    result = tf.boolean_mask(tf.gather_nd(candidates, indices), ends[inside])
    return tf.RaggedTensor.from_row_lengths(result, tf.reduce_sum(tf.cast(ends, tf.int64), 1))


def _shorter(scores: Any) -> Any:
    """The length, minus one, of the best piece that ends at each character."""
    # The scores of the best splits up to the previous character, the one before that, and so on.
    words = tf.shape(scores)[0]
    before = tf.fill([words, MAX_PIECE_LENGTH - 1], -float("inf"))
    before = tf.concat([tf.zeros([words, 1]), before], 1)

    def forward(_: Any, before: Any, scores: Any) -> tuple[Any, Any]:
        totals = before + scores
        best = tf.reduce_max(totals, 1, keepdims=True)
        return tf.concat([best, before[:, :-1]], 1), tf.argmax(totals, 1, tf.int32)

    return scan(forward, before, (scores,), "int32")[1]


def _candidates(characters: Any, vocabulary: Vocabulary) -> tuple[Any, Any]:
    """The candidate pieces that end at each character, by their length minus one.

    Args:
        characters: ragged (words, characters).
        vocabulary: a vocabulary with scores.

    Returns:
        Strings and their scores, (characters of all words, MAX_PIECE_LENGTH); -inf for strings that
        are not pieces.
    """
    flat = characters.flat_values
    indices = tf.range(tf.size(flat), dtype=tf.int64)
    position = indices - tf.gather(characters.row_starts(), characters.value_rowids())
    candidates = [flat]
    for shorter in range(1, MAX_PIECE_LENGTH):
        first = tf.gather(flat, tf.maximum(indices - shorter, 0))
        candidates.append(tf.strings.join([first, candidates[-1]]))
    candidates = tf.stack(candidates, 1)
    ids = vocabulary.ids(candidates)
    infinite = -float("inf")
    piece_scores = vocabulary.scores or [0.0] * len(vocabulary.tokens)
    scores = tf.gather(tf.constant([infinite] * SPECIAL + piece_scores), ids)
    unknown = min(piece_scores) - UNKNOWN_COST
    alone = tf.where(ids[:, :1] == UNKNOWN, unknown, scores[:, :1])
    scores = tf.concat([alone, scores[:, 1:]], 1)
    return candidates, tf.where(
        tf.range(MAX_PIECE_LENGTH, dtype=tf.int64) <= position[:, None], scores, infinite
    )


def _coverage(texts: Sequence[str], minimum_count: int) -> float:
    """The fraction of the characters that occur often enough."""
    counts = Counter()
    for text in texts:
        counts.update(SPACE + text.replace(" ", SPACE))
    kept = sum(count for count in counts.values() if count >= minimum_count)
    # SentencePiece keeps the most frequent characters until this fraction is reached.
    return max((kept - 0.5) / max(counts.total(), 1), MIN_CHARACTER_COVERAGE)


def _lines(text: str) -> Iterable[str]:
    """Splits a text between words into lines that SentencePiece accepts."""
    line, size = [], 0
    # SentencePiece skips lines that contain the character with which it marks boundaries.
    text = text.replace(BOUNDARY, " ")
    for word in text.split(" "):
        if len(word.encode("utf-8")) > LINE:  # such as a text without spaces, in Chinese
            yield " ".join(line)
            yield from (word[at : at + PART] for at in range(0, len(word), PART))
            line, size = [], 0
            continue
        size += len(word.encode("utf-8")) + 1
        if size > LINE and line:
            yield " ".join(line)
            line, size = [], len(word.encode("utf-8")) + 1
        line.append(word)
    yield " ".join(line)
