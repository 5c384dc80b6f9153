"""Embeddings of words, some of which have pretrained vectors."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from seqzoo.tasks.layers.recurrent import TokenEmbedding
from seqzoo.tasks.preprocessing.vocabulary import UNKNOWN
from seqzoo.tasks.vectors_options import VectorsMode


@keras.saving.register_keras_serializable("seqzoo")
class KnownWords(TokenEmbedding):
    """An embedding of the first `input_dim` ids; all others have that of the unknown token."""

    def call(self, inputs: Any) -> Any:
        """Ids (batch, time) -> (batch, time, output_dim)."""
        return super().call(ops.where(inputs < self.input_dim, inputs, UNKNOWN))


@keras.saving.register_keras_serializable("seqzoo")
class VectorTable(keras.layers.Layer):
    """Pretrained vectors of words.

    Args:
        size: number of ids.
        dimension: number of dimensions of the vectors.
        mode: "frozen" keeps them, "tuned" trains them, "mapped" trains a linear map of them,
            initially the identity.
        **kwargs: passed to `keras.layers.Layer`.
    """

    def __init__(self, size: int, dimension: int, mode: VectorsMode = "frozen", **kwargs: Any):
        super().__init__(**kwargs)
        self.size, self.dimension, self.mode = size, dimension, mode

    def build(self, input_shape: Any) -> None:
        self.vectors = self.add_weight(
            name="vectors",
            shape=(self.size, self.dimension),
            initializer="zeros",
            trainable=self.mode == "tuned",
            autocast=False,  # only the rows that are read are cast, see `call`
        )
        if self.mode == "mapped":
            self.map = self.add_weight(
                name="map", shape=(self.dimension, self.dimension), initializer="identity"
            )

    def call(self, inputs: Any) -> Any:
        """Ids (batch, time) -> vectors (batch, time, dimension)."""
        # Not `ops.take`, which reads, and with sparse updates copies, the whole table.
        vectors = ops.cast(tf.gather(self.vectors.value, inputs), self.compute_dtype)
        return ops.matmul(vectors, self.map) if self.mode == "mapped" else vectors

    def get_config(self) -> dict:
        options = {"size": self.size, "dimension": self.dimension, "mode": self.mode}
        return {**super().get_config(), **options}


def embed_tokens(
    features: Any, template: Any, ids: Any, precision: str, *, words: Any = None
) -> Any:
    """The embedding of tokens, concatenated with word vectors if the template has any.

    Args:
        features: a `TextFeatures`.
        template: has `embedding`, and `vectors_mode` if there are vectors.
        ids: Keras tensor (batch, time).
        precision: Keras' dtype policy.
        words: the ids before some were replaced by the unknown token, with which word vectors are
            looked up; `ids` by default.

    Returns: Keras tensor (batch, time, embedding [+ dimension]).
    """
    settings = {"dtype": precision, "name": "embedding"}
    vectors = features.vectors
    if vectors is None:
        return TokenEmbedding(len(features.vocabulary), template.embedding, **settings)(ids)
    trained = KnownWords(vectors.trained_ids, template.embedding, **settings)(ids)
    table = VectorTable(
        len(features.vocabulary),
        vectors.dimension,
        template.vectors_mode,
        dtype=precision,
        name="vectors",
    )
    result = table(ids if words is None else words)
    if vectors.table is not None:
        table.vectors.assign(vectors.table)
    return keras.layers.concatenate([trained, result])
