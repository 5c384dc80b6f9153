"""The states of a trained character-level language model at some steps of a text."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from seqzoo.tasks.layers.recurrent import TokenEmbedding, recurrent_layers


@keras.saving.register_keras_serializable(package="seqzoo")
class StringStates(keras.layers.Layer):
    """Outputs of a language model's last recurrent layer: ids of characters (batch, characters) and
    steps (batch, words) -> (batch, words, units).

    Its weights are those of the language model, and they are not trained.

    Args:
        vocabulary_size: number of character ids.
        embedding: embedding size.
        cell: name of the cell in `seqzoo.cells.CELLS`.
        units: units per layer.
        layers: number of recurrent layers.
        cell_options: other options of the cell's class.
        **kwargs: passed to `keras.layers.Layer`.
    """

    def __init__(
        self,
        vocabulary_size: int,
        embedding: int,
        cell: str,
        units: int,
        layers: int = 1,
        cell_options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.choices = {
            "vocabulary_size": vocabulary_size,
            "embedding": embedding,
            "cell": cell,
            "units": units,
            "layers": layers,
            "cell_options": dict(cell_options or {}),
        }
        policy = self.dtype_policy
        self.embedding = TokenEmbedding(vocabulary_size, embedding, dtype=policy)
        self.recurrent = recurrent_layers(
            cell, units, layers, cell_options=cell_options, dtype=policy
        )
        self.trainable = False

    def build(self, characters_shape: tuple, steps_shape: tuple) -> None:
        """Creates all weights, in the order of `assign_weights`."""
        self.embedding.build((None, None))
        features = self.choices["embedding"]
        for layer in self.recurrent:
            layer.build((None, None, features))
            features = self.choices["units"]
        self.built = True

    def assign_weights(self, values: Sequence[Any]) -> None:
        """Sets the weights to those of a language model: those of its embedding, then those of its
        recurrent layers."""
        numbers = [item for item in self.weights if tf.as_dtype(item.dtype).is_floating]
        for weight, value in zip(numbers, values, strict=True):
            weight.assign(value)

    def call(self, characters: Any, steps: Any) -> Any:
        values = self.embedding(characters)
        for layer in self.recurrent:
            # No mask: padding after a step does not change the state at that step.
            values = layer(values, training=False)
        return tf.gather(tf.stop_gradient(values), steps, batch_dims=1)

    def compute_output_spec(self, characters: Any, steps: Any) -> Any:
        shape = (*steps.shape[:2], self.choices["units"])
        return keras.KerasTensor(shape, self.compute_dtype)

    def get_config(self) -> dict:
        return {**super().get_config(), **self.choices}


@keras.saving.register_keras_serializable(package="seqzoo")
class Columns(keras.layers.Layer):
    """Selects columns of each step: (batch, time, columns) -> (batch, time, stop - start), or
    (batch, time) for a single column.

    Args:
        start: the first column.
        stop: the column after the last one; None for the single column `start`.
        **kwargs: passed to `keras.layers.Layer`.
    """

    def __init__(self, start: int, stop: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.start, self.stop = start, stop

    def call(self, values: Any) -> Any:
        if self.stop is None:
            return values[:, :, self.start]
        return values[:, :, self.start : self.stop]

    def compute_output_spec(self, values: Any) -> Any:
        size = () if self.stop is None else (self.stop - self.start,)
        return keras.KerasTensor((*values.shape[:2], *size), values.dtype)

    def get_config(self) -> dict:
        return {**super().get_config(), "start": self.start, "stop": self.stop}
