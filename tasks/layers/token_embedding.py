"""The embedding of tokens, which reads no more of its table than the rows it needs."""

from typing import Any

import keras
import tensorflow as tf

from seqzoo.cells.engine.private_tensorflow import of_this_replica


@keras.saving.register_keras_serializable(package="seqzoo")
class TokenEmbedding(keras.layers.Embedding):
    """`keras.layers.Embedding` for large tables.

    Keras' own layer reads the whole table, and copies it if the optimizer updates only the rows
    that a batch uses (`embedding_updates = "lazy"`).
    """

    def call(self, inputs: Any) -> Any:
        """Ids (batch, time) -> (batch, time, output_dim)."""
        rows = tf.gather(of_this_replica(self.embeddings.value), inputs)
        return keras.ops.cast(rows, self.compute_dtype)
