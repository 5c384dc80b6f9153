"""Models of seqzoo's templates as they are written by hand in Keras and in PyTorch, for
benchmarks.end_to_end.

The classifier is that of the preset `language-id`: characters and the hashed n-grams that end at
each are embedded, and a GRU's last state and the sum of all embeddings are classified. The
encoder-decoder is that of `date-normaliser`: a bidirectional GRU, a GRU that attends to its outputs
(additive attention), and a dense layer on both, under the output layer.
"""

from typing import Any

import keras
import numpy as np

from benchmarks import contestants

torch: Any = contestants.torch

LONGEST, BUCKETS, HASH = 4, 32_768, 10_007
"""Length of the longest n-gram, rows of the table per length, and the factor of the hash."""

START, END = 1, 2
"""Tokens of the encoder-decoder's targets; 0 is padding."""


def ngrams(ids: np.ndarray) -> np.ndarray:
    """The rows of the n-grams that end at each step of a sequence, (time,) -> (time, lengths)."""
    rows, hashed = [], ids % BUCKETS
    for back in range(1, LONGEST):
        earlier = np.concatenate([np.zeros(back, ids.dtype), ids])[: len(ids)]
        hashed = (hashed * HASH + earlier + 1) % BUCKETS
        rows.append(hashed + (back - 1) * BUCKETS)
    return np.stack(rows, -1).astype(ids.dtype)


def keras_classifier(characters: int, classes: int, units: int, size: int) -> keras.Model:
    """The classifier in Keras: ids (batch, time) and n-grams (batch, time, lengths) -> logits."""
    ids = keras.Input((None,), dtype="int32")
    grams = keras.Input((None, LONGEST - 1), dtype="int32")
    steps = keras.ops.not_equal(ids, 0)
    values = keras.layers.Embedding(characters, size)(ids)
    values += keras.ops.sum(keras.layers.Embedding((LONGEST - 1) * BUCKETS, size)(grams), axis=2)
    inside = keras.ops.cast(steps, "float32")[:, :, None]
    bag = keras.ops.sum(values * inside, 1) / keras.ops.sqrt(keras.ops.sum(inside, 1))
    last = keras.layers.GRU(units)(values, mask=steps)
    logits = keras.layers.Dense(classes)(keras.ops.concatenate([last, bag], -1))
    return keras.Model([ids, grams], logits)


def keras_encoder_decoder(characters: int, tokens: int, units: int, size: int) -> keras.Model:
    """The encoder-decoder in Keras: ids (batch, source) and tokens (batch, time) -> logits of the
    following tokens."""
    layers = keras.layers
    ids, before = (keras.Input((None,), dtype="int32") for _ in range(2))
    steps = keras.ops.not_equal(ids, 0)
    encoder = layers.Bidirectional(layers.GRU(units, return_sequences=True, return_state=True))
    memory, *states = encoder(layers.Embedding(characters, size)(ids), mask=steps)
    state = layers.Dense(units)(keras.ops.concatenate(states, -1))
    decoder = layers.GRU(units, return_sequences=True)
    hidden = decoder(layers.Embedding(tokens, size)(before), initial_state=state)
    queries, keys = (layers.Dense(units, use_bias=False)(item) for item in (hidden, memory))
    attended = layers.AdditiveAttention()([queries, memory, keys], mask=[None, steps])
    joined = keras.ops.concatenate([hidden, attended], -1)
    logits = layers.Dense(tokens)(layers.Dense(units, activation="tanh")(joined))
    return keras.Model([ids, before], logits)


Module: Any = object if torch is None else torch.nn.Module


class TorchClassifier(Module):
    """The classifier in PyTorch."""

    def __init__(self, characters: int, classes: int, units: int, size: int):
        super().__init__()
        self.characters = torch.nn.Embedding(characters, size)
        self.ngrams = torch.nn.Embedding((LONGEST - 1) * BUCKETS, size)
        self.recurrent = torch.nn.GRU(size, units, batch_first=True)
        self.dense = torch.nn.Linear(units + size, classes)

    def forward(self, ids: Any, grams: Any, lengths: Any) -> Any:
        """Ids (batch, time), n-grams (batch, time, lengths) and lengths (batch,) -> logits."""
        pack = torch.nn.utils.rnn.pack_padded_sequence
        values = self.characters(ids) + self.ngrams(grams).sum(2)
        inside = (ids != 0)[:, :, None]
        bag = (values * inside).sum(1) / lengths[:, None].sqrt()
        _, last = self.recurrent(pack(values, lengths, batch_first=True, enforce_sorted=False))
        return self.dense(torch.cat([last[0], bag], -1))


class TorchEncoderDecoder(Module):
    """The encoder-decoder in PyTorch."""

    def __init__(self, characters: int, tokens: int, units: int, size: int):
        super().__init__()
        nn = torch.nn
        self.source, self.target = nn.Embedding(characters, size), nn.Embedding(tokens, size)
        self.encoder = nn.GRU(size, units, batch_first=True, bidirectional=True)
        self.bridge = nn.Linear(2 * units, units)
        self.decoder = nn.GRU(size, units, batch_first=True)
        self.query = nn.Linear(units, units, bias=False)
        self.key = nn.Linear(2 * units, units, bias=False)
        self.score = nn.Linear(units, 1, bias=False)
        self.join, self.dense = nn.Linear(3 * units, units), nn.Linear(units, tokens)

    def encode(self, ids: Any, lengths: Any) -> tuple[Any, Any, Any]:
        """The memory (batch, source, features), its keys and the decoder's first state."""
        pack = torch.nn.utils.rnn.pack_padded_sequence
        packed = pack(self.source(ids), lengths, batch_first=True, enforce_sorted=False)
        outputs, states = self.encoder(packed)
        memory, _ = torch.nn.utils.rnn.pad_packed_sequence(outputs, batch_first=True)
        state = self.bridge(torch.cat([states[0], states[1]], -1))
        return memory, self.key(memory), state[None].contiguous()

    def decode(
        self, before: Any, state: Any, memory: Any, keys: Any, steps: Any
    ) -> tuple[Any, Any]:
        """Logits of the tokens that follow `before`, (batch, time), and the last state."""
        hidden, state = self.decoder(self.target(before), state)
        scores = self.score(torch.tanh(self.query(hidden)[:, :, None] + keys[:, None]))[..., 0]
        weights = scores.masked_fill(~steps[:, None], -1e30).softmax(-1)
        joined = torch.cat([hidden, weights @ memory], -1)
        return self.dense(torch.tanh(self.join(joined))), state

    def forward(self, ids: Any, before: Any, lengths: Any) -> Any:
        """Ids (batch, source), tokens (batch, time) and lengths (batch,) -> logits."""
        memory, keys, state = self.encode(ids, lengths)
        return self.decode(before, state, memory, keys, ids != 0)[0]
