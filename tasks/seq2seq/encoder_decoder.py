"""A network that generates texts: an encoder, a bridge and a decoder."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

import seqzoo.cells
from seqzoo.tasks.layers.encoders import BesideSteps
from seqzoo.tasks.layers.network_part import NetworkPart
from seqzoo.tasks.layers.random_views import RandomStepView
from seqzoo.tasks.layers.recurrent import (
    TokenEmbedding,
    recurrent_layers,
    with_time,
    without_time,
)
from seqzoo.tasks.layers.step_convolutions import StepConvolutions
from seqzoo.tasks.layers.word_vectors import KnownWords, VectorTable
from seqzoo.tasks.seq2seq.decoder import Bridge, Decoder


@keras.saving.register_keras_serializable(package="seqzoo")
class Generator(keras.Model):
    """Encodes inputs, and generates tokens from the encoding.

    Args:
        encoder: a layer: (values, lengths, training=) -> memory (batch, source, features), its
            mask (batch, source), and as many summaries (batch, features) as the decoder has
            layers.
        decoder: the decoder.
        step: shape and type of one step of the inputs.
        further: the network of further inputs, tensors by name -> (batch, features); its output is
            concatenated with each step of the memory and with each summary. None if there are none.
        **kwargs: passed to `keras.Model`.
    """

    def __init__(
        self,
        encoder: keras.layers.Layer,
        decoder: Decoder,
        step: tuple,
        further: keras.Model | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.encoder = encoder
        self.decoder = decoder
        self.further = further
        self.beside_steps = BesideSteps(dtype=decoder.dtype_policy)
        self.input_step = (tuple(step[0]), step[1])
        self.bridge = Bridge(decoder.state_sizes, dtype=decoder.dtype_policy)

    def build(self, *_: Any) -> None:
        """Creates all weights by running one step."""
        shape, dtype = self.input_step
        inputs = {
            "values": tf.zeros([1, 2, *shape], dtype),
            "lengths": tf.constant([2]),
            "tokens": tf.zeros([1, 2], tf.int32),
        }
        for name, tensor in self.further_inputs.items():
            sizes = [1, *(size or 1 for size in tensor.shape[1:])]
            inputs[name] = tf.ones(sizes, tensor.dtype)
        with seqzoo.cells.portable():
            self.call(inputs)
        self.built = True

    def call(self, inputs: dict[str, Any], training: bool = False) -> Any:
        """Logits of the token that follows each of "tokens", (batch, time, ids)."""
        memory, mask, states = self.encode(inputs, training)
        return self.decoder(
            inputs["tokens"],
            states,
            memory,
            mask,
            training=training,
            copies=self.copies(inputs["values"]),
        )[0]

    def encode(self, inputs: dict[str, Any], training: bool = False) -> tuple[Any, Any, list]:
        """The memory, its mask, and the decoder's initial states.

        Args:
            inputs: "values", "lengths" and the further inputs; others are ignored.
            training: whether dropout is on.
        """
        values = inputs["values"][..., 0] if self.decoder.copies else inputs["values"]
        memory, mask, summaries = self.encoder(values, inputs["lengths"], training=training)
        if self.further is not None:
            further = {name: inputs[name] for name in self.further_inputs}
            vector = self.further(further, training=training)
            memory = self.beside_steps(vector, memory)
            summaries = [
                tf.concat([tf.cast(vector, summary.dtype), summary], -1) for summary in summaries
            ]
        return memory, mask, self.decoder.valid_states(self.bridge(summaries))

    def copies(self, values: Any) -> Any:
        """The `copy_ids` in the values of inputs, (batch, source); None if the decoder does not
        copy."""
        return values[..., 1] if self.decoder.copies else None

    def opening(self, inputs: dict[str, Any]) -> tuple[Any, Any, Any]:
        """The decoder's initial states, the constants of its steps, and the mask of the memory."""
        memory, mask, states = self.encode(inputs)
        constants = self.decoder.look_at(memory, mask, self.copies(inputs["values"]))
        return self.decoder.opened(states, mask), constants, mask

    @property
    def further_inputs(self) -> dict[str, Any]:
        """The symbolic inputs of the network of further inputs, by name."""
        return {} if self.further is None else self.further.input

    def get_config(self) -> dict:
        return {
            "name": self.name,
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "decoder": keras.saving.serialize_keras_object(self.decoder),
            "step": [list(self.input_step[0]), self.input_step[1]],
            "further": self.further and keras.saving.serialize_keras_object(self.further),
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: Any = None) -> "Generator":
        parts = {
            name: keras.saving.deserialize_keras_object(config[name])
            for name in ("encoder", "decoder", "further")
            if config.get(name) is not None  # older runs have no "further"
        }
        return cls(**{**config, **parts})

    def get_build_config(self) -> dict:
        return {"step": self.get_config()["step"]}

    def build_from_config(self, config: dict) -> None:
        self.build()


@keras.saving.register_keras_serializable(package="seqzoo")
class SequenceEncoder(NetworkPart):
    """Recurrent layers over a sequence: the memory is the outputs of the last layer, and the
    summaries are the last states of each layer.

    Steps that are features of the whole sequence, such as those of a lemma, are also summed
    outside the recurrence, so that the decoder gets them at each step, wherever it attends:

        f = sum of F(id) over the steps whose id is one of `feature_ids`

    f is concatenated with each step of the memory and with each summary (similar to the feature
    vector of Wu, Shapiro and Cotterell 2018, section 4).

    Args:
        vocabulary_size: number of ids, or None for numeric inputs.
        cell: name of the cell in `seqzoo.cells.CELLS`.
        units: units per layer and direction.
        layers: number of recurrent layers.
        bidirectional: whether each layer reads in both directions.
        embedding: embedding size.
        scale: factor by which numeric inputs are multiplied.
        dropout: dropout rate on each layer's inputs.
        recurrent_dropout: dropout rate on the recurrent inputs.
        cell_options: other options of the cell's class.
        recompute: see `Recurrent`.
        vectors: pretrained word vectors: "own", the number of ids that also have a trained
            embedding, and "dimension" and "mode" of `VectorTable`; None without word
            vectors.
        feature_ids: the ids of features of the whole sequence; None if there are none.
        frame: the shape of a step, (columns, height, channels), if it is a part of an image or of a
            spectrogram.
        filters: number of filters of each block of `StepConvolutions` before the recurrent layers.
        view: the options of `RandomStepView` in training: "shift", "zoom" and "shear".
        **kwargs: passed to `keras.layers.Layer`.
    """

    def __init__(
        self,
        vocabulary_size: int | None,
        cell: str,
        units: int,
        layers: int = 1,
        bidirectional: bool = True,
        embedding: int = 64,
        scale: float = 1.0,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        cell_options: dict | None = None,
        recompute: int | None = None,
        vectors: dict | None = None,
        feature_ids: Sequence[int] | None = None,
        frame: Sequence[int] | None = None,
        filters: Sequence[int] = (),
        view: dict[str, float] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.choices = {
            "vocabulary_size": vocabulary_size,
            "cell": cell,
            "units": units,
            "layers": layers,
            "bidirectional": bidirectional,
            "embedding": embedding,
            "scale": scale,
            "dropout": dropout,
            "recurrent_dropout": recurrent_dropout,
            "cell_options": dict(cell_options or {}),
            "recompute": recompute,
            "vectors": vectors,
            "feature_ids": None if feature_ids is None else list(feature_ids),
            "frame": None if frame is None else list(frame),
            "filters": list(filters),
            "view": dict(view or {}),
        }
        policy = self.dtype_policy
        self.embedding = self.vectors = None
        if vectors is not None and vocabulary_size is not None:
            trained, dimension, mode = (vectors[name] for name in ("own", "dimension", "mode"))
            self.embedding = KnownWords(trained, embedding, dtype=policy)
            self.vectors = VectorTable(vocabulary_size, dimension, mode, dtype=policy)
        elif vocabulary_size is not None:
            self.embedding = TokenEmbedding(vocabulary_size, embedding, dtype=policy)
        self.feature_sum = self.beside_steps = None
        if feature_ids and vocabulary_size is not None:
            self.feature_sum = SumOfFeatures(feature_ids, vocabulary_size, embedding, dtype=policy)
            self.beside_steps = BesideSteps(dtype=policy)
        self.scale = scale
        self.view = self.convolutions = None
        if frame is not None and any(self.choices["view"].values()):
            self.view = RandomStepView(*frame, **self.choices["view"], dtype=policy)
        if frame is not None and filters:
            self.convolutions = StepConvolutions(filters, *frame, dtype=policy)
        self.recurrent = recurrent_layers(
            cell,
            units,
            layers,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            cell_options=cell_options,
            recompute=recompute,
            bidirectional=bidirectional,
            return_state=True,
            dtype=policy,
        )

    def call(self, values: Any, lengths: Any, training: bool = False) -> tuple[Any, Any, list]:
        """(batch, time, ...) and (batch,) -> memory, mask, and a summary per layer."""
        mask = tf.range(tf.shape(values)[1])[None, :] < lengths[:, None]
        features = None if self.feature_sum is None else self.feature_sum(values, mask)
        if self.vectors is not None and self.embedding is not None:
            values = tf.concat([self.embedding(values), self.vectors(values)], -1)
        elif self.embedding is not None:
            values = self.embedding(values)
        elif self.scale != 1.0:
            values = tf.cast(values, self.compute_dtype) * self.scale
        if self.view is not None:
            values = self.view(values, mask, training=training)
        if self.convolutions is not None:
            values = self.convolutions(values, mask)
        summaries = []
        values, elapsed = without_time(self.choices["cell"], values)
        for layer in self.recurrent:
            values, *states = layer(with_time(values, elapsed), mask=mask, training=training)
            summaries.append(tf.concat(states, -1))
        if self.beside_steps is not None:
            values = self.beside_steps(features, values)
            summaries = [tf.concat([features, summary], -1) for summary in summaries]
        return values, mask, summaries

    def get_config(self) -> dict:
        return {**super().get_config(), **self.choices}


@keras.saving.register_keras_serializable(package="seqzoo")
class SumOfFeatures(keras.layers.Layer):
    """The sum of the vectors of some ids of a sequence: (batch, time) -> (batch, size).

    Args:
        ids: the ids that count.
        vocabulary_size: number of ids that have a vector.
        size: size of a vector.
        **kwargs: passed to `keras.layers.Layer`.
    """

    def __init__(self, ids: Sequence[int], vocabulary_size: int, size: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.ids, self.vocabulary_size, self.size = list(ids), vocabulary_size, size

    def build(self, *_: Any) -> None:
        self.embeddings = self.add_weight(
            name="embeddings",  # by which fine-tuning knows that it has a row per token
            shape=(self.vocabulary_size, self.size),
            initializer=keras.initializers.RandomNormal(stddev=0.05),
        )
        self.built = True

    def call(self, values: Any, mask: Any) -> Any:
        """Ids (batch, time) and their mask -> the sums."""
        matches = (values[..., None] == tf.constant(self.ids, values.dtype)) & mask[..., None]
        counts = tf.reduce_sum(tf.cast(matches, self.compute_dtype), 1)
        return tf.matmul(counts, tf.gather(self.embeddings, self.ids))

    def of_steps(self, values: Any, mask: Any) -> Any:
        """The vectors that are summed, (batch, time, size)."""
        matches = (values[..., None] == tf.constant(self.ids, values.dtype)) & mask[..., None]
        return tf.matmul(tf.cast(matches, self.compute_dtype), tf.gather(self.embeddings, self.ids))

    def get_config(self) -> dict:
        sizes = {"vocabulary_size": self.vocabulary_size, "size": self.size}
        return {**super().get_config(), "ids": self.ids, **sizes}
