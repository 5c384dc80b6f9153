"""The decoder with exact hard monotonic attention: each token comes from one step of its input."""

from typing import Any

import keras
import tensorflow as tf

from seqzoo.tasks.layers.copying import mixture_by_step
from seqzoo.tasks.layers.monotonic_attention import MonotonicAttention
from seqzoo.tasks.layers.recurrent import after_one
from seqzoo.tasks.seq2seq.decoder import Decoder


@keras.saving.register_keras_serializable(package="seqzoo")
class MonotonicDecoder(Decoder):
    """From tokens to the log-probabilities of the next tokens.

        h1, h2, ... = recurrent layers, on the embeddings of the tokens
        p(y | h, m_j) = softmax of output(tanh(W h + V m_j + b))
        p(y) = `MonotonicAttention` over all steps j of the memory m

    Here h is the output of the last layer; no layer reads a context, since the step that a token
    comes from is a latent variable. A decoder that copies has a probability of copying at each step
    j: see `mixture_by_step`, with p_gen = sigmoid(w [h; embedding of the token] + v m_j + b).

    The probabilities of all tokens at all steps, (batch, time, source, ids), are in memory at once.

    Args: see `Decoder`.
    """

    joined_by = None  # tanh is applied after the memory's term is added

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        policy = self.dtype_policy
        width = self.choices["embedding" if self.choices["tied"] else "units"]
        self.join_memory = keras.layers.Dense(width, use_bias=False, dtype=policy)
        if self.copies:
            self.gate_memory = keras.layers.Dense(1, use_bias=False, dtype=self.precision)

    def _attention_layer(self) -> Any:
        return MonotonicAttention(self.choices["units"], dtype=self.dtype_policy)

    def call(
        self,
        tokens: Any,
        states: list[list],
        memory: Any = None,
        mask: Any = None,
        training: bool = False,
        steps: Any = None,
        copies: Any = None,
    ) -> tuple[Any, list[list]]:
        vectors = self._vectors(tokens)
        values, last = vectors, []
        for layer, initial in zip(self.recurrent, states, strict=True):
            if layer.cell.takes_time:
                values = (values, tf.ones_like(values[..., 0]))
            values, *new = layer(values, mask=steps, initial_state=initial, training=training)
            last.append(new)
        constants = self.look_at(memory, mask, copies)
        emissions = self._emissions(values, vectors, constants, training)
        scores = self.attention.scores_of(values, constants["keys"], constants["mask"])
        return self.attention(emissions, scores, tokens)[0], last

    def step(
        self, tokens: Any, states: list[list], constants: Any = None
    ) -> tuple[Any, list[list], Any]:
        vectors = self._vectors(tokens)
        *layers, aligned = states
        values, last = vectors, []
        for layer, before in zip(self.recurrent, layers, strict=True):
            values, new = layer.cell(after_one(layer.cell, values), before)
            last.append(list(new))
        emissions = self._emissions(values[:, None], vectors[:, None], constants, training=False)
        keys, mask = constants["keys"], constants["mask"]
        scores = self.attention.scores_of(values[:, None], keys, mask)
        logs, prior, aligned = self.attention.step(emissions[:, 0], scores[:, 0], tokens, aligned)
        return logs, [*last, aligned], prior

    def opened(self, states: list[list], mask: Any) -> list[list]:
        return [*states, self.attention.first_state(mask, self.vocabulary_size + self.copies)]

    def look_at(self, memory: Any, mask: Any, copies: Any = None) -> Any:
        """The constants that all steps need, by name: "keys" of the attention; "joined" (batch,
        source, width); "mask", in which even an empty input has one step; and in a decoder that
        copies, "gate" (batch, source, 1) and "copies"."""
        constants = {
            "keys": self.attention.keys(memory),
            "joined": self.join_memory(memory),
            "mask": mask | (tf.range(tf.shape(mask)[1]) == 0),
        }
        if self.copies:
            constants |= {"gate": self.gate_memory(memory), "copies": copies}
        return constants

    def _emissions(self, values: Any, vectors: Any, constants: Any, training: bool) -> Any:
        """log p(y | h, m_j), (batch, time, source, ids)."""
        assert self.join is not None
        joined = self.join(values)[:, :, None] + constants["joined"][:, None]
        joined = self.dropout(tf.tanh(joined), training=training)
        logits = tf.cast(self._outputs(joined), "float32")
        if not self.copies:
            return tf.nn.log_softmax(logits)
        gate = self.gate(tf.concat([values, vectors], -1))[:, :, None]
        gate = tf.cast(gate + constants["gate"][:, None], "float32")
        return mixture_by_step(logits, gate, constants["copies"], self.copies)
