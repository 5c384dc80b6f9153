"""The decoder: recurrent layers over the previous tokens, with optional attention."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from seqzoo.tasks.layers.attention import Attention
from seqzoo.tasks.layers.copying import mixture
from seqzoo.tasks.layers.network_part import NetworkPart
from seqzoo.tasks.layers.recurrent import (
    TokenEmbedding,
    after_one,
    loss_precision,
    recurrent_layers,
)
from seqzoo.tasks.preprocessing.vocabulary import PADDING, UNKNOWN
from seqzoo.tasks.targets.texts import START


@keras.saving.register_keras_serializable(package="seqzoo")
class Decoder(NetworkPart):
    """From tokens to the logits of the next tokens.

        h1 = first recurrent layer, on the embeddings of the tokens
        c = context: attention of h1 over the memory
        h2, ... = the other recurrent layers, each on the outputs of the layer below and c
        logits = output(tanh(W [h; c]))

    The query is the first layer's state *after* the token (Luong, Pham and Manning 2015, section
    3; the other layers read the context as in Wu et al. 2016, "GNMT", section 3.1). A step does not
    need the previous step's context, so all steps of a known target are run at once.

    A decoder that copies returns log-probabilities of the vocabulary's ids, and of further ids,
    instead of logits: see `mixture`, with p_gen = sigmoid(w [h; c; embedding of the token] + b).
    If it also `follows` its input, a term is added to the attention's score of each step whose
    previous step has the token just generated, or of the first step with a token, at the start:

        score(h1, m_j) + (u h1 + d) [the token of m_j-1 is the last token]

    Without this term, a decoder has to learn for each pair of characters where to continue reading.

    For a time-aware cell, the time between successive tokens is one unit.

    Args:
        vocabulary_size: number of token ids.
        cell: name of the cell in `seqzoo.cells.CELLS`.
        units: units per layer.
        layers: number of recurrent layers.
        embedding: embedding size.
        attention: "additive" or "multiplicative", or None for a decoder without memory.
        dropout: dropout rate on each layer's inputs and on the last features.
        recurrent_dropout: dropout rate on the recurrent inputs.
        cell_options: other options of the cell's class.
        recompute: see `Recurrent`.
        tied: whether the weights of the output layer are the embeddings (Press and Wolf 2017).
        copies: number of ids after those of the vocabulary, for copied tokens; 0 for a decoder that
            does not copy.
        follows: see above; for decoders that copy.
        **kwargs: passed to `keras.layers.Layer`.
    """

    joined_by: Any = "tanh"
    """Activation of the layer that joins state and context."""

    def __init__(
        self,
        vocabulary_size: int,
        cell: str,
        units: int,
        layers: int = 1,
        embedding: int = 64,
        attention: str | None = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        cell_options: Mapping[str, Any] | None = None,
        recompute: int | None = None,
        tied: bool = False,
        copies: int = 0,
        follows: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.choices = {
            "vocabulary_size": vocabulary_size,
            "cell": cell,
            "units": units,
            "layers": layers,
            "embedding": embedding,
            "attention": attention,
            "dropout": dropout,
            "recurrent_dropout": recurrent_dropout,
            "cell_options": dict(cell_options or {}),
            "recompute": recompute,
            "tied": tied,
            "copies": copies,
            "follows": follows,
        }
        self.vocabulary_size, self.copies = vocabulary_size, copies
        policy = self.dtype_policy
        self.embedding = TokenEmbedding(vocabulary_size, embedding, dtype=policy)
        self.recurrent = recurrent_layers(
            cell,
            units,
            layers,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            cell_options=cell_options,
            recompute=recompute,
            return_state=True,
            dtype=policy,
        )
        self.attention = self._attention_layer()
        width = embedding if tied else units
        self.join = None
        if attention is not None or tied:
            self.join = keras.layers.Dense(width, activation=self.joined_by, dtype=policy)
        self.dropout = keras.layers.Dropout(dropout, dtype=policy)
        self.precision = loss_precision(policy.name)
        self.output_layer = None
        if not tied:
            self.output_layer = keras.layers.Dense(vocabulary_size, dtype=self.precision)
        if copies:
            self.gate = keras.layers.Dense(1, dtype=self.precision)
        self.succession = None
        if follows:
            self.succession = keras.layers.Dense(1, bias_initializer="ones", dtype=policy)
        if tied:
            self.output_bias = self.add_weight(
                shape=(vocabulary_size,),
                initializer="zeros",
                dtype=self.precision,
                autocast=False,
                name="output_bias",
            )

    def _attention_layer(self) -> Any:
        kind = self.choices["attention"]
        return None if kind is None else Attention(kind, dtype=self.dtype_policy)

    @property
    def state_sizes(self) -> list[list[int]]:
        """The sizes of the states of each layer."""
        sizes = [layer.cell.state_size for layer in self.recurrent]
        return [list(size) if isinstance(size, Sequence) else [size] for size in sizes]

    def valid_states(self, states: list[list]) -> list[list]:
        """Initial states out of arbitrary numbers, see the cells' `valid_states`."""
        pairs = zip(self.recurrent, states, strict=True)
        return [layer.cell.valid_states(each) for layer, each in pairs]

    def zero_states(self, batch: Any) -> list[list]:
        """The initial states, lists of (batch, units)."""
        return [layer.cell.get_initial_state(batch) for layer in self.recurrent]

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
        """Runs over complete sequences.

        Args:
            tokens: (batch, time), int32: the previous token of each step.
            states: states of each layer before the first step.
            memory: (batch, source, features), if there is attention.
            mask: (batch, source): whether each step of the memory exists.
            training: whether dropout is on.
            steps: (batch, time): False for tokens that are padding, which leave the states
                unchanged; None if there is no padding.
            copies: (batch, source): the `copy_ids` of the memory, for a decoder that copies.

        Returns:
            Logits, (batch, time, ids), float32, and the states after the last step.
        """
        vectors = self._vectors(tokens)
        values, context, weights, last = vectors, None, None, []
        for index, layer in enumerate(self.recurrent):
            inputs = values if context is None else ops.concatenate([values, context], axis=-1)
            if layer.cell.takes_time:
                inputs = (inputs, ops.ones_like(inputs[..., 0]))
            values, *new = layer(inputs, mask=steps, initial_state=states[index], training=training)
            last.append(new)
            if index == 0 and self.attention is not None:
                bias = self._bias(tokens, values, copies)
                context, weights = self.attention(values, memory, mask, bias=bias)
        logits = self._logits(values, context, training)
        if self.copies:
            logits = self._mixed(logits, vectors, values, context, weights, mask, copies)
        return logits, last

    def step(
        self, tokens: Any, states: list[list], constants: Any = None
    ) -> tuple[Any, list[list], Any]:
        """Runs one step, for `seqzoo.tasks.decoding`.

        Args:
            tokens: (rows,), int32.
            states: states of each layer.
            constants: the result of `look_at`, for these rows.

        Returns:
            Logits (rows, ids), the new states, and attention (rows, source) or None.
        """
        vectors = self._vectors(tokens)
        values, context, weights, last = vectors, None, None, []
        memory, keys, mask, *copies = constants or (None, None, None)
        for index, layer in enumerate(self.recurrent):
            inputs = values if context is None else ops.concatenate([values, context], axis=-1)
            values, new = layer.cell(after_one(layer.cell, inputs), states[index])
            last.append(list(new))
            if index == 0 and self.attention is not None:
                query = values[:, None]
                bias = self._bias(tokens[:, None], query, *copies)
                context, weights = self.attention(query, memory, mask, keys=keys, bias=bias)
                context, weights = context[:, 0], ops.cast(weights[:, 0], "float32")
        logits = self._logits(values, context, training=False)
        if self.copies:
            assert context is not None and weights is not None
            logits, vectors, values = logits[:, None], vectors[:, None], values[:, None]
            context, attention = context[:, None], weights[:, None]
            logits = self._mixed(logits, vectors, values, context, attention, mask, copies[0])[:, 0]
        return logits, last, weights

    def opened(self, states: list[list], mask: Any) -> list[list]:
        """The states before the first `step`, given the initial states of the layers."""
        return states

    def look_at(self, memory: Any, mask: Any, copies: Any = None) -> Any:
        """The constants that all steps need, computed from the memory; None without attention."""
        if self.attention is None:
            return None
        kept = (memory, self.attention.keys(memory), mask)
        return (*kept, copies) if self.copies else kept

    def _vectors(self, tokens: Any) -> Any:
        """The embeddings of tokens; copied tokens that are not in the vocabulary have that of the
        unknown token."""
        if self.copies:
            tokens = ops.where(tokens < self.vocabulary_size, tokens, UNKNOWN)
        return self.embedding(tokens)

    def _bias(self, tokens: Any, queries: Any, copies: Any = None) -> Any:
        """What is added to the scores of the attention, (batch, time, source); None if nothing
        is."""
        if self.succession is None:
            return None
        before = ops.pad(copies[:, :-1], [[0, 0], [1, 0]], constant_values=PADDING)
        before = ops.where(before == PADDING, START, before)
        follows = (tokens[:, :, None] == before[:, None]) & (copies != PADDING)[:, None]
        return ops.where(follows, self.succession(queries), 0.0)

    def _mixed(
        self,
        logits: Any,
        vectors: Any,
        values: Any,
        context: Any,
        weights: Any,
        mask: Any,
        copies: Any,
    ) -> Any:
        """Log-probabilities, (batch, time, ids), of generated and copied tokens."""
        gate = self.gate(ops.concatenate([values, context, vectors], axis=-1))
        logits, gate, weights = (ops.cast(item, "float32") for item in (logits, gate, weights))
        return mixture(logits, gate, weights, mask, copies, self.copies)

    def _logits(self, values: Any, context: Any, training: bool) -> Any:
        if context is not None:
            values = ops.concatenate([values, context], axis=-1)
        if self.join is not None:
            values = self.join(values)
        return self._outputs(self.dropout(values, training=training))

    def _outputs(self, values: Any) -> Any:
        """Logits of the vocabulary from the last features."""
        if self.output_layer is not None:
            return self.output_layer(values)
        table = ops.cast(self.embedding.embeddings, values.dtype)
        logits = ops.matmul(values, ops.transpose(table))
        return ops.cast(logits, self.precision) + self.output_bias

    def get_config(self) -> dict:
        return {**super().get_config(), **self.choices}


@keras.saving.register_keras_serializable(package="seqzoo")
class Bridge(NetworkPart):
    """Initial states of a decoder with cells of any kind: a dense layer on the encoding.

    Args:
        state_sizes: sizes of the states of each layer of the decoder.
        **kwargs: passed to `keras.layers.Layer`.
    """

    def __init__(self, state_sizes: list[list[int]], **kwargs: Any):
        super().__init__(**kwargs)
        self.state_sizes = state_sizes
        self.layers = [
            keras.layers.Dense(sum(state_size), dtype=self.dtype_policy)
            for state_size in state_sizes
        ]

    def call(self, summaries: list) -> list[list]:
        """Summaries, each (batch, features), one per layer of the decoder -> the layers' states."""
        return [
            tf.split(layer(summary), sizes, axis=-1)
            for layer, summary, sizes in zip(self.layers, summaries, self.state_sizes, strict=True)
        ]

    def get_config(self) -> dict:
        return {**super().get_config(), "state_sizes": self.state_sizes}
