"""The network of a tagger: vectors of tokens -> recurrent layers -> a score for each tag."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import keras
import tensorflow as tf
from keras import ops

import seqzoo.cells
from seqzoo.cells.scan import round_length
from seqzoo.tasks.networks import LengthMask, recurrent_stack
from seqzoo.tasks.vocabulary import UNKNOWN


@keras.saving.register_keras_serializable(package="seqzoo")
class WordIds(keras.layers.Layer):
    """The ids of words: (batch, time, 1 + characters) -> (batch, time).

    In training some words become unknown, at random, so that the network learns to tell what it
    can from their characters and neighbours.

    Args:
        rate: share of the words that become unknown.
        **kwargs: of `keras.layers.Layer`.
    """

    def __init__(self, rate: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.rate = rate
        self.seeds = keras.random.SeedGenerator()

    def call(self, values: Any, training: bool = False) -> Any:
        ids = values[:, :, 0] if len(values.shape) == 3 else values
        if not training or not self.rate:
            return ids
        drawn = keras.random.uniform(ops.shape(ids), dtype="float32", seed=self.seeds)
        return ops.where(drawn < self.rate, UNKNOWN, ids)

    def compute_output_spec(self, values: Any, training: bool = False) -> Any:
        return keras.KerasTensor(tuple(values.shape[:2]), "int32")

    def get_config(self) -> dict:
        return {**super().get_config(), "rate": self.rate}


@keras.saving.register_keras_serializable(package="seqzoo")
class WordCharacters(keras.layers.Layer):
    """A vector of each word from its characters, by a layer that reads them in both directions:
    (batch, time, 1 + characters) -> (batch, time, 2 * units).

    Source: Ling et al. 2015, "Finding Function in Form", section 3.

    Args:
        vocabulary_size: number of ids of characters; 0 is the padding.
        size: of a character's vector.
        cell: name of the cell in `seqzoo.cells.CELLS`.
        units: of each direction.
        cell_options: further options of the cell's class.
        **kwargs: of `keras.layers.Layer`.
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
        self.embedding = keras.layers.Embedding(vocabulary_size, size, dtype=policy)
        own = seqzoo.cells.create(cell, units, dtype=policy, **self.choices["cell_options"])
        layer = seqzoo.cells.Recurrent(own, dtype=policy)
        self.recurrent = seqzoo.cells.Bidirectional(layer, dtype=policy)

    def build(self, input_shape: tuple) -> None:
        longest = input_shape[2] - 1
        self.embedding.build((None, longest))
        self.recurrent.build((None, longest, self.choices["size"]))
        self.built = True

    def call(self, values: Any, training: bool = False) -> Any:
        longest = values.shape[2] - 1
        rows = tf.reshape(values[:, :, 1:], (-1, longest))
        # Each word once: a batch of sentences has three or four times as many steps, padding
        # included. There is no kernel for rows of a matrix on a GPU.
        with tf.device("CPU:0"):
            words, places = tf.raw_ops.UniqueV2(x=rows, axis=[0])
        # Loops are compiled for each number of rows.
        missing = round_length(tf.shape(words)[0]) - tf.shape(words)[0]
        words = tf.ensure_shape(tf.pad(words, [[0, missing], [0, 0]]), (None, longest))
        # A step at least, because cuDNN takes no row without one; padding leads nowhere.
        lengths = tf.maximum(tf.math.count_nonzero(words, 1, dtype=tf.int32), 1)
        mask = tf.sequence_mask(lengths, longest)
        vectors = self.recurrent(self.embedding(words), mask=mask, training=training)
        vectors = tf.gather(vectors, places)
        return tf.reshape(vectors, (*ops.shape(values)[:2], 2 * self.choices["units"]))

    def compute_output_spec(self, values: Any, training: bool = False) -> Any:
        shape = (*values.shape[:2], 2 * self.choices["units"])
        return keras.KerasTensor(shape, self.compute_dtype)

    def get_config(self) -> dict:
        return {**super().get_config(), **self.choices}


def tagger_network(
    task: Any,
    step: tuple[tuple[int, ...], str],
    vocabulary_size: int | None,
    characters_size: int | None,
    outputs: keras.layers.Layer | None,
    tags: int,
    precision: str,
) -> keras.Model:
    """The model: "values" and "lengths" -> scores of tags, (batch, time, tags), float32.

    Args:
        task: a `ManyToManyAligned`.
        step: shape and type of one step of the inputs.
        vocabulary_size: number of ids of tokens, or None for inputs that are numbers.
        characters_size: number of ids of the characters of words, or None where they are not read.
        outputs: a layer behind the scores, a `CRF`, or None.
        tags: how many there are.
        precision: Keras' policy.
    """
    shape, dtype = step
    inputs = {
        "values": keras.Input((None, *shape), dtype=dtype, name="values"),
        "lengths": keras.Input((), dtype="int32", name="lengths"),
    }
    values = inputs["values"]
    mask = LengthMask(name="mask")(values, inputs["lengths"])
    vectors = values
    if vocabulary_size is not None:
        ids = WordIds(task.word_dropout, name="word_ids")(values)
        embed = keras.layers.Embedding(
            vocabulary_size, task.embedding, dtype=precision, name="embedding"
        )
        vectors = embed(ids)
    if characters_size is not None:
        read = WordCharacters(
            characters_size,
            task.character_embedding,
            task.cell,
            task.characters,
            task.cell_options,
            dtype=precision,
            name="characters",
        )
        vectors = keras.layers.concatenate([vectors, read(values)], dtype=precision)
    stacked = replace(task, bidirectional=task.both_ways)
    vectors = recurrent_stack(stacked, vectors, mask, sequence=True, dtype=precision)
    if task.dropout:
        vectors = keras.layers.Dropout(task.dropout, dtype=precision, name="dropout")(vectors)
    scores = keras.layers.Dense(tags, dtype="float32", name="scores")(vectors)
    if outputs is not None:
        scores = outputs(scores)
    return keras.Model(inputs, scores, name="tagger")
