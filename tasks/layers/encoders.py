"""Networks that encode an input as a vector, and the concatenation of further inputs to steps."""

from typing import Any

import keras
from keras import ops

from seqzoo.tasks.layers.random_views import varied
from seqzoo.tasks.layers.recurrent import (
    MaskedPooling,
    NGramEmbedding,
    TokenEmbedding,
    recurrent_stack,
    sequence_inputs,
)
from seqzoo.tasks.layers.step_convolutions import convolved
from seqzoo.tasks.layers.word_vectors import embed_tokens
from seqzoo.tasks.preprocessing.base import Features
from seqzoo.tasks.preprocessing.joined import JoinedFeatures, part_template


def encode_sequence(
    template: Any, features: Features, ids: Any, values: Any, mask: Any, precision: str
) -> Any:
    """Encodes each sequence as a vector: [embedding or convolutions] -> recurrent layers -> pooling
    [+ bag].

    Args:
        template: a `ManyToOne`, or the options of an input, see `part_template`.
        features: the features of the sequence.
        ids: the Keras tensor "values" of the network's inputs.
        values: the steps of the sequence, (batch, time, ...).
        mask: which steps are not padding, (batch, time).
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
    values = varied(template, features, values, mask, precision)
    values = convolved(template, features, values, mask, precision)
    bag = None
    if template.bag:
        bag = MaskedPooling("sum", dtype=precision, name="bag")(values, mask)
    pools = template.pooling != "last"
    values = recurrent_stack(template, values, mask, sequence=pools, dtype=precision)
    if pools:
        pool = MaskedPooling(template.pooling, dtype=precision, name="pooling")
        values = pool(values, mask)
    if bag is not None:
        values = keras.layers.concatenate([values, bag])
    return values


def encoder_of(template: Any, features: Features, precision: str, name: str) -> Any:
    """The network that encodes one input as a vector, {"values", "lengths"} -> (batch,
    features)."""
    inputs, values, mask = sequence_inputs(features)
    if features.in_time:
        vector = encode_sequence(template, features, inputs["values"], values, mask, precision)
        return keras.Model(inputs, vector, name=name)
    if features.vocabulary is not None:
        size = len(features.vocabulary)
        units = min(template.embedding, 1 + size // 2)
        values = TokenEmbedding(size, units, dtype=precision, name="embedding")(values)
    # An input without a time axis is a single step, whose mean over time is the step itself.
    vector = MaskedPooling("mean", dtype=precision, name="step")(values, mask)
    return keras.Model(inputs, vector, name=name)


@keras.saving.register_keras_serializable(package="seqzoo")
class BesideSteps(keras.layers.Layer):
    """Concatenates a vector to each step: (batch, features) and (batch, time, others) -> (batch,
    time, features + others). The vector comes first, since the last feature of a step may be its
    time."""

    def call(self, vector: Any, steps: Any) -> Any:
        shape = (ops.shape(steps)[0], ops.shape(steps)[1], vector.shape[-1])
        repeated = ops.broadcast_to(ops.cast(vector, steps.dtype)[:, None], shape)
        return ops.concatenate([repeated, steps], axis=-1)

    def compute_output_spec(self, vector: Any, steps: Any) -> Any:
        width = vector.shape[-1] + steps.shape[-1]
        return keras.KerasTensor((*steps.shape[:2], width), self.compute_dtype)


def further_encoder(template: Any, features: JoinedFeatures, precision: str) -> keras.Model:
    """The network that encodes the further inputs of an example, "values_1", "lengths_1" and so on,
    as one vector, (batch, features): the concatenated vectors of their encoders.

    Args:
        template: a template with `further_inputs`.
        features: the features of all inputs.
        precision: Keras' dtype policy.
    """
    inputs: dict[str, Any] = {}
    vectors = []
    others = zip(features.kinds[1:], features.parts[1:], strict=True)
    for number, (kind, part) in enumerate(others, 1):
        shape, dtype = part.step
        end = features.suffix(number)
        values = keras.Input((None, *shape), dtype=dtype, name=f"values{end}")
        lengths = keras.Input((), dtype="int32", name=f"lengths{end}")
        inputs |= {values.name: values, lengths.name: lengths}
        encoder = encoder_of(part_template(template, kind), part, precision, f"encoder_{number}")
        vectors.append(encoder({"values": values, "lengths": lengths}))
    vector = vectors[0]
    if len(vectors) > 1:
        vector = keras.layers.Concatenate(dtype=precision, name="inputs")(vectors)
    return keras.Model(inputs, vector, name="further_inputs")


def beside_steps(
    inputs: dict[str, Any], steps: Any, template: Any, features: Features, precision: str
) -> Any:
    """Concatenates the vector of the further inputs, if there are any, to each step of a sequence.

    Args:
        inputs: the inputs of the network, by name; the further inputs are added to it.
        steps: Keras tensor (batch, time, features).
        template: the template of the network.
        features: the features of its inputs.
        precision: Keras' dtype policy.
    """
    if not isinstance(features, JoinedFeatures):
        return steps
    encoder = further_encoder(template, features, precision)
    further = {
        name: keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=name)
        for name, tensor in encoder.input.items()
    }
    inputs |= further
    return BesideSteps(dtype=precision, name="beside_steps")(encoder(further), steps)
