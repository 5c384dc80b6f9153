"""The network of a language model: a decoder whose states are inputs and outputs."""

from typing import Any

import keras
import tensorflow as tf

import seqzoo.cells
from seqzoo.tasks.seq2seq.decoder import Decoder


@keras.saving.register_keras_serializable(package="seqzoo")
class LanguageModel(keras.Model):
    """From tokens to the logits of the next tokens.

    Args:
        decoder: a decoder without attention.
        **kwargs: passed to `keras.Model`.
    """

    def __init__(self, decoder: Decoder, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.decoder = decoder

    def build(self, *_: Any) -> None:
        """Creates all weights by running one step."""
        with seqzoo.cells.portable():
            self.call(tf.zeros([1, 2], tf.int32))
        self.built = True

    def call(
        self, tokens: Any, states: Any = None, steps: Any = None, training: bool = False
    ) -> tuple[Any, list[Any]]:
        """Runs over sequences.

        Args:
            tokens: (batch, time), int32: the previous token of each step.
            states: the states before the first step, in the order of `state_sizes`, each (batch,
                units); None for zeros.
            steps: (batch, time): whether each step counts; None for all.
            training: whether dropout is on.

        Returns:
            Logits, (batch, time, vocabulary), float32, and the states after the last step that
            counts, each (batch, units), in the layers' precision.
        """
        nested = self.decoder.zero_states(tf.shape(tokens)[0])
        if states is not None:
            dtype = self.decoder.compute_dtype
            nested = tf.nest.pack_sequence_as(nested, [tf.cast(state, dtype) for state in states])
        logits, last = self.decoder(tokens, nested, training=training, steps=steps)
        return logits, tf.nest.flatten(last)

    @property
    def state_sizes(self) -> tuple[int, ...]:
        """Units of each state."""
        return tuple(size for state_size in self.decoder.state_sizes for size in state_size)

    def get_config(self) -> dict:
        decoder = keras.saving.serialize_keras_object(self.decoder)
        return {"name": self.name, "decoder": decoder}

    @classmethod
    def from_config(cls, config: dict, custom_objects: Any = None) -> "LanguageModel":
        decoder = keras.saving.deserialize_keras_object(config["decoder"])
        return cls(decoder, name=config["name"])

    def get_build_config(self) -> dict:
        # Keras would treat an empty config as missing, and would not load the weights.
        return {"tokens": 2}

    def build_from_config(self, config: dict) -> None:
        self.build()
