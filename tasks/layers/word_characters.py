"""Vectors of words from their characters, by a recurrent layer or a convolution."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from seqzoo.cells.engine.lengths import round_length
from seqzoo.cells.engine.runners import chosen_runner
from seqzoo.tasks.layers.recurrent import TokenEmbedding, recurrent_layers

WIDTH = 3
"""Width of the convolution, in characters."""

SIZES = 1
"""How many sizes per octave (per doubling of the number of words) `WordCharacters` is compiled for.
Batches of 32 sentences of UD English EWT then have four sizes, and one word in six is padding; with
four per octave they would have eleven sizes, and one word in fourteen would be padding."""


@keras.saving.register_keras_serializable(package="seqzoo")
class WordCharacters(keras.layers.Layer):
    """A vector for each word from its characters, by a bidirectional recurrent layer: (batch, time,
    1 + characters) -> (batch, time, 2 * units). The first value of a step is the id of the word,
    which is not used.

    Source: Ling et al. 2015, "Finding Function in Form", section 3.

    Args:
        vocabulary_size: number of character ids; 0 is the padding.
        size: embedding size of characters.
        cell: name of the cell in `seqzoo.cells.CELLS`.
        units: number of units of each direction.
        cell_options: other options of the cell's class.
        **kwargs: passed to `keras.layers.Layer`.
    """

    def __init__(
        self,
        vocabulary_size: int,
        size: int,
        cell: str,
        units: int,
        cell_options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.choices = {
            "vocabulary_size": vocabulary_size,
            "size": size,
            "cell": cell,
            "units": units,
            "cell_options": dict(cell_options or {}),
        }
        policy = self.dtype_policy
        self.embedding = TokenEmbedding(vocabulary_size, size, dtype=policy)
        (self.recurrent,) = recurrent_layers(
            cell,
            units,
            cell_options=cell_options,
            bidirectional=True,
            last_only=True,
            dtype=policy,
        )

    def build(self, input_shape: tuple) -> None:
        longest = input_shape[2] - 1
        self.embedding.build((None, longest))
        self.recurrent.build((None, longest, self.choices["size"]))
        self.built = True

    def call(self, values: Any, training: bool = False) -> Any:
        words, positions = distinct_words(values, SIZES)
        # At least one step, because cuDNN does not accept empty rows; the padding is not used.
        lengths = tf.maximum(tf.math.count_nonzero(words, 1, dtype=tf.int32), 1)
        mask = tf.sequence_mask(lengths, values.shape[2] - 1)
        vectors = self.recurrent(self.embedding(words), mask=mask, training=training)
        vectors = tf.gather(vectors, positions)
        return tf.reshape(vectors, (*ops.shape(values)[:2], 2 * self.choices["units"]))

    def compute_output_spec(self, values: Any, training: bool = False) -> Any:
        shape = (*values.shape[:2], 2 * self.choices["units"])
        return keras.KerasTensor(shape, self.compute_dtype)

    def get_config(self) -> dict:
        return {**super().get_config(), **self.choices}


@keras.saving.register_keras_serializable(package="seqzoo")
class ConvolvedCharacters(keras.layers.Layer):
    """A vector for each word from its characters, by a convolution: (batch, time, 1 + characters)
    -> (batch, time, units).

        v = max over characters t of relu(W [e_t-1; e_t; e_t+1] + b)

    where e are the embeddings of characters, zero before and after the word. It need not be
    compiled for each number of words, and a training step takes a third of the time that
    `WordCharacters` takes; that layer was 0.2 points more accurate on UD English EWT.

    Source: dos Santos and Zadrozny 2014; Ma and Hovy 2016, section 2.1.

    Args:
        vocabulary_size: number of character ids; 0 is the padding.
        size: embedding size of characters.
        units: size of a word's vector.
        **kwargs: passed to `keras.layers.Layer`.
    """

    def __init__(self, vocabulary_size: int, size: int, units: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.choices = {"vocabulary_size": vocabulary_size, "size": size, "units": units}
        policy = self.dtype_policy
        self.embedding = TokenEmbedding(vocabulary_size, size, dtype=policy)
        self.convolution = keras.layers.Conv1D(
            units,
            WIDTH,
            padding="same",
            data_format="channels_last",
            activation="relu",
            dtype=policy,
        )

    def build(self, input_shape: tuple) -> None:
        longest = input_shape[2] - 1
        self.embedding.build((None, longest))
        self.convolution.build((None, longest, self.choices["size"]))
        self.built = True

    def call(self, values: Any) -> Any:
        words, positions = distinct_words(values)
        inside = (words > 0)[:, :, None]
        vectors = self.convolution(ops.where(inside, self.embedding(words), 0))
        # No value is below zero, so zeros in the padding do not change the maximum.
        vectors = tf.reduce_max(ops.where(inside, vectors, 0), 1)
        vectors = tf.gather(vectors, positions)
        return tf.reshape(vectors, (*ops.shape(values)[:2], self.choices["units"]))

    def compute_output_spec(self, values: Any) -> Any:
        return keras.KerasTensor((*values.shape[:2], self.choices["units"]), self.compute_dtype)

    def get_config(self) -> dict:
        return {**super().get_config(), **self.choices}


def distinct_words(values: Any, octave: int = 4) -> tuple[Any, Any]:
    """The characters of the distinct words of a batch, (words, characters), and the index of each
    step's word, (batch * time,).

    A batch of sentences has three or four times as many steps as distinct words, padding included.
    The number of rows is rounded up to one of `octave` sizes between one power of two and the next,
    because, for each size, loops are compiled and a GPU searches for the best kernel.
    """
    longest = values.shape[2] - 1
    rows = tf.reshape(values[:, :, 1:], (-1, longest))
    if chosen_runner() is not None:  # other runtimes have no operation that finds equal rows
        return rows, tf.range(tf.shape(rows)[0])
    with tf.device("CPU:0"):  # there is no GPU kernel for rows of a matrix
        words, positions = tf.raw_ops.UniqueV2(x=rows, axis=[0])
    missing = round_length(tf.shape(words)[0], octave) - tf.shape(words)[0]
    return tf.ensure_shape(tf.pad(words, [[0, missing], [0, 0]]), (None, longest)), positions
