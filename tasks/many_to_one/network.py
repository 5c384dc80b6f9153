"""The network of many-to-one with several inputs: an encoder for each, and a layer that joins
them."""

from typing import Any

import keras
from keras import ops

from seqzoo.tasks.layers.encoders import encoder_of
from seqzoo.tasks.preprocessing.base import Features
from seqzoo.tasks.preprocessing.joined import JoinedFeatures, part_template, suffix


@keras.saving.register_keras_serializable(package="seqzoo")
class Comparison(keras.layers.Layer):
    """Two vectors u and v, (batch, units) each -> [u, v, |u - v|, u * v], (batch, 4 * units).

    Source: Conneau et al. 2017, "Supervised learning of universal sentence representations",
    section 3.1.
    """

    def call(self, u: Any, v: Any) -> Any:
        return ops.concatenate([u, v, ops.abs(u - v), u * v], axis=-1)

    def compute_output_shape(self, u_shape: Any, v_shape: Any) -> tuple:
        return (*u_shape[:-1], 4 * u_shape[-1])


def encode_joined(template: Any, features: JoinedFeatures, precision: str) -> tuple[dict, Any]:
    """Encodes the inputs of each example as one vector.

    The encoders' vectors are concatenated; two inputs that are compared share their encoder. A
    dense layer follows, since the linear output layer alone could only add up the effects of the
    inputs.

    Args:
        template: a `ManyToOne`.
        features: the features of all inputs.
        precision: Keras' dtype policy.

    Returns: the inputs of the network by name, and a Keras tensor (batch, features).
    """
    inputs: dict[str, Any] = {}
    encoders: dict[Features, Any] = {}
    vectors = []
    for number, (kind, part) in enumerate(zip(features.kinds, features.parts, strict=True)):
        if part not in encoders:
            name = f"encoder{suffix(number)}"
            encoders[part] = encoder_of(part_template(template, kind), part, precision, name)
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
