"""The networks of many-to-one: one encoder per input, and a layer that joins them."""

from typing import Any

import keras
from keras import ops

from seqzoo.tasks.layers.recurrent import (
    MaskedPooling,
    NGramEmbedding,
    recurrent_stack,
    sequence_inputs,
)
from seqzoo.tasks.layers.word_vectors import embed_tokens
from seqzoo.tasks.preprocessing.base import Features
from seqzoo.tasks.preprocessing.joined import JoinedFeatures, part_template, suffix


@keras.saving.register_keras_serializable(package="seqzoo")
class Comparison(keras.layers.Layer):
    """Two vectors u and v, (batch, units) each -> [u, v, |u - v|, u * v], (batch, 4 units).

    Conneau et al. 2017, Supervised learning of universal sentence representations, section 3.1.
    """

    def call(self, u: Any, v: Any) -> Any:
        return ops.concatenate([u, v, ops.abs(u - v), u * v], axis=-1)

    def compute_output_shape(self, u_shape: Any, v_shape: Any) -> tuple:
        return (*u_shape[:-1], 4 * u_shape[-1])


def encode_sequence(
    template: Any, features: Features, ids: Any, values: Any, mask: Any, precision: str
) -> Any:
    """A vector for each sequence: [embedding] -> recurrent layers -> pooling [+ bag].

    Args:
        template: a `ManyToOne`, or a view of it for one of several inputs.
        features: of the sequence.
        ids: Keras tensor "values" of the network's inputs.
        values: the same, (batch, time, ...).
        mask: (batch, time).
        precision: Keras' dtype policy.

    Returns: Keras tensor (batch, features).
    """
    if features.vocabulary is not None:
        values = embed_tokens(features, template, ids, precision)
        if template.ngrams > 1:
            layer = NGramEmbedding(
                template.ngrams,
                template.ngram_buckets,
                values.shape[-1],
                dtype=precision,
                name="ngrams",
            )
            values = keras.layers.add([values, layer(ids)])
    elif features.step[1] == "uint8":
        values = keras.layers.Rescaling(1 / 255, dtype=precision, name="scale")(values)
    bag = None
    if template.bag:
        bag = MaskedPooling("sum", dtype=precision, name="bag")(values, mask)
    whole = template.pooling != "last"
    values = recurrent_stack(template, values, mask, sequence=whole, dtype=precision)
    if whole:
        pool = MaskedPooling(template.pooling, dtype=precision, name="pooling")
        values = pool(values, mask)
    if bag is not None:
        values = keras.layers.concatenate([values, bag])
    return values


def encode_joined(template: Any, features: JoinedFeatures, precision: str) -> tuple[dict, Any]:
    """A vector for each example of several inputs.

    The encoders' vectors are concatenated; those of two inputs that are compared share their
    encoder. A dense layer follows, since a linear output of them could only add up what each input
    says.

    Returns: the inputs of the network by name, and a Keras tensor (batch, features).
    """
    inputs: dict[str, Any] = {}
    encoders: dict[Features, Any] = {}
    vectors = []
    for number, (kind, part) in enumerate(zip(features.kinds, features.parts, strict=True)):
        if part not in encoders:
            name = f"encoder{suffix(number)}"
            encoders[part] = _encoder(part_template(template, kind), part, precision, name)
        shape, dtype = part.step
        values = keras.Input((None, *shape), dtype=dtype, name=f"values{suffix(number)}")
        lengths = keras.Input((), dtype="int32", name=f"lengths{suffix(number)}")
        inputs |= {values.name: values, lengths.name: lengths}
        vectors.append(encoders[part]({"values": values, "lengths": lengths}))
    if features.compared is not None:
        other = vectors.pop(features.compared)
        vectors[0] = Comparison(dtype=precision, name="comparison")(vectors[0], other)
    joined = vectors[0]
    if len(vectors) > 1:
        joined = keras.layers.Concatenate(dtype=precision, name="inputs")(vectors)
    if template.join_units:
        joined = keras.layers.Dense(
            template.join_units, activation="relu", dtype=precision, name="joined"
        )(joined)
    return inputs, joined


def _encoder(template: Any, features: Features, precision: str, name: str) -> Any:
    """The network from one input to a vector, {"values", "lengths"} -> (batch, features)."""
    inputs, values, mask = sequence_inputs(features)
    if features.in_time:
        vector = encode_sequence(template, features, inputs["values"], values, mask, precision)
        return keras.Model(inputs, vector, name=name)
    if features.vocabulary is not None:
        size = len(features.vocabulary)
        units = min(template.embedding, 1 + size // 2)
        values = keras.layers.Embedding(size, units, dtype=precision, name="embedding")(values)
    # One step of numbers, whose mean over time is itself.
    vector = MaskedPooling("mean", dtype=precision, name="step")(values, mask)
    return keras.Model(inputs, vector, name=name)
