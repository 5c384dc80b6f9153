"""The decoder: recurrent layers over the previous tokens, with optional attention."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from seqzoo.tasks.layers.attention import Attention
from seqzoo.tasks.layers.recurrent import after_one, loss_precision, recurrent_layers


@keras.saving.register_keras_serializable(package="seqzoo")
class Decoder(keras.layers.Layer):
    """From tokens to the logits of the following tokens.

        h1 = first recurrent layer of the tokens' vectors
        c = attention of h1 to the memory
        h2, ... = the other recurrent layers, each of the one below and c
        logits = output(tanh(W [h; c]))

    The query is the first layer's state *after* the token (Luong, Pham and Manning 2015, section
    3; the other layers see its context as in Wu et al. 2016, "GNMT", section 3.1). A step does not
    need the previous step's context, so all steps of a known target are run at once.

    For a cell that takes time, one unit of it passes from token to token.

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
        tied: whether the output layer's weights are the tokens' vectors (Press and Wolf 2017).
        **kwargs: of `keras.layers.Layer`.
    """

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
        }
        policy = self.dtype_policy
        self.embedding = keras.layers.Embedding(vocabulary_size, embedding, dtype=policy)
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
        self.attention = None if attention is None else Attention(attention, dtype=policy)
        width = embedding if tied else units
        self.join = None
        if attention is not None or tied:
            self.join = keras.layers.Dense(width, activation="tanh", dtype=policy)
        self.dropout = keras.layers.Dropout(dropout, dtype=policy)
        self.precision = loss_precision(policy.name)
        self.output_layer = None
        if not tied:
            self.output_layer = keras.layers.Dense(vocabulary_size, dtype=self.precision)
        if tied:
            self.output_bias = self.add_weight(
                shape=(vocabulary_size,),
                initializer="zeros",
                dtype=self.precision,
                autocast=False,
                name="output_bias",
            )

    @property
    def state_sizes(self) -> list[list[int]]:
        """The sizes of the states of each layer."""
        sizes = [layer.cell.state_size for layer in self.recurrent]
        return [list(size) if isinstance(size, Sequence) else [size] for size in sizes]

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
    ) -> tuple[Any, list[list]]:
        """Runs over complete sequences.

        Args:
            tokens: (batch, time), int32: the previous token of each step.
            states: states of each layer before the first step.
            memory: (batch, source, features), if there is attention.
            mask: (batch, source): whether each step of the memory exists.
            training: whether dropout is on.
            steps: (batch, time): whether each token counts; the others leave the states unchanged.
                None for all.

        Returns:
            Logits, (batch, time, vocabulary), float32, and the states after the last step.
        """
        values, context, last = self.embedding(tokens), None, []
        for index, layer in enumerate(self.recurrent):
            inputs = values if context is None else ops.concatenate([values, context], axis=-1)
            if layer.cell.takes_time:
                inputs = (inputs, ops.ones_like(inputs[..., 0]))
            values, *new = layer(inputs, mask=steps, initial_state=states[index], training=training)
            last.append(new)
            if index == 0 and self.attention is not None:
                context, _ = self.attention(values, memory, mask)
        return self._logits(values, context, training), last

    def step(
        self, tokens: Any, states: list[list], constants: Any = None
    ) -> tuple[Any, list[list], Any]:
        """One step, for `seqzoo.tasks.decoding`.

        Args:
            tokens: (rows,), int32.
            states: states of each layer.
            constants: the result of `look_at`, for these rows.

        Returns:
            Logits (rows, vocabulary), the new states, and attention (rows, source) or None.
        """
        values, context, weights, last = self.embedding(tokens), None, None, []
        for index, layer in enumerate(self.recurrent):
            inputs = values if context is None else ops.concatenate([values, context], axis=-1)
            values, new = layer.cell(after_one(layer.cell, inputs), states[index])
            last.append(list(new))
            if index == 0 and self.attention is not None:
                memory, keys, mask = constants
                context, weights = self.attention(values[:, None], memory, mask, keys=keys)
                context, weights = context[:, 0], ops.cast(weights[:, 0], "float32")
        return self._logits(values, context, training=False), last, weights

    def look_at(self, memory: Any, mask: Any) -> Any:
        """The values of a memory that all steps need, or None without attention."""
        return None if self.attention is None else (memory, self.attention.keys(memory), mask)

    def _logits(self, values: Any, context: Any, training: bool) -> Any:
        if context is not None:
            values = ops.concatenate([values, context], axis=-1)
        if self.join is not None:
            values = self.join(values)
        values = self.dropout(values, training=training)
        if self.output_layer is not None:
            return self.output_layer(values)
        table = ops.cast(self.embedding.embeddings, values.dtype)
        logits = ops.matmul(values, ops.transpose(table))
        return ops.cast(logits, self.precision) + self.output_bias

    def get_config(self) -> dict:
        return {**super().get_config(), **self.choices}

    def get_build_config(self) -> None:
        """None: the network builds its parts."""


@keras.saving.register_keras_serializable(package="seqzoo")
class Bridge(keras.layers.Layer):
    """Initial states of a decoder with any cells: a dense layer over the encoding.

    Args:
        state_sizes: sizes of the states of each layer of the decoder.
        **kwargs: of `keras.layers.Layer`.
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

    def get_build_config(self) -> None:
        """None: the network builds its parts."""
