"""The network of a tagger: vectors of tokens -> recurrent layers -> a score for each tag."""

from dataclasses import replace
from typing import Any

import keras
from keras import ops

from seqzoo.tasks.layers.encoders import beside_steps
from seqzoo.tasks.layers.recurrent import recurrent_stack, sequence_inputs
from seqzoo.tasks.layers.string_states import Columns, StringStates
from seqzoo.tasks.layers.word_characters import ConvolvedCharacters, WordCharacters
from seqzoo.tasks.layers.word_vectors import embed_tokens
from seqzoo.tasks.preprocessing.vocabulary import UNKNOWN


@keras.saving.register_keras_serializable(package="seqzoo")
class WordIds(keras.layers.Layer):
    """The ids of words: (batch, time, 1 + characters) -> (batch, time).

    In training, random words are replaced by the unknown token, so that the network learns to use
    their characters and neighbours.

    Args:
        rate: fraction of the words that are replaced.
        **kwargs: passed to `keras.layers.Layer`.
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


def tagger_network(
    template: Any,
    features: Any,
    characters_size: int | None,
    outputs: keras.layers.Layer | None,
    tags: int,
    precision: str,
) -> keras.Model:
    """The model: "values", "lengths" and, for each language model, "values_1" and so on -> scores
    of tags, (batch, time, tags), float32.

    Args:
        template: a `ManyToManyAligned`.
        features: the features of all inputs; those that accompany the sequence are concatenated
            with each step.
        characters_size: number of character ids, or None if the characters of words are not read.
        outputs: a layer that is applied to the scores, such as a `CRF`; None for none.
        tags: number of tags.
        precision: Keras' dtype policy.
    """
    inputs, values, mask = sequence_inputs(features)
    all_features, features = features, features.first
    states = _language_model_states(inputs, features, precision)
    if states:
        values = Columns(0, features.columns, name="of_words")(values)
    vectors = values
    if features.vocabulary is not None:
        ids = WordIds(template.word_dropout, name="word_ids")(values)
        # A word keeps its pretrained vector when its embedding is replaced by that of the unknown
        # token.
        words = WordIds(name="words")(values) if features.vectors is not None else None
        vectors = embed_tokens(features, template, ids, precision, words=words)
    if characters_size is not None:
        sizes = (characters_size, template.character_embedding)
        named = {"dtype": precision, "name": "characters"}
        if template.character_reader == "convolutional":
            reader = ConvolvedCharacters(*sizes, 2 * template.characters, **named)
        else:
            reader = WordCharacters(
                *sizes, template.cell, template.characters, template.cell_options, **named
            )
        vectors = keras.layers.concatenate([vectors, reader(values)], dtype=precision)
    if states:
        vectors = keras.layers.concatenate([vectors, *states], dtype=precision)
    vectors = beside_steps(inputs, vectors, template, all_features, precision)
    stacked = replace(template, bidirectional=template.is_bidirectional)
    vectors = recurrent_stack(stacked, vectors, mask, sequence=True, dtype=precision)
    if template.dropout:
        vectors = keras.layers.Dropout(template.dropout, dtype=precision, name="dropout")(vectors)
    scores = keras.layers.Dense(tags, dtype="float32", name="scores")(vectors)
    if outputs is not None:
        scores = outputs(scores)
    return keras.Model(inputs, scores, name="tagger")


def _language_model_states(inputs: dict[str, Any], features: Any, precision: str) -> list[Any]:
    """The states of each language model of `TokenFeatures`, (batch, time, units); the characters
    that the models read are added to `inputs`."""
    results = []
    for number, model in enumerate(getattr(features, "models", ()), 1):
        characters = keras.Input((None,), dtype="int32", name=f"values_{number}")
        column = features.columns + number - 1
        steps = Columns(column, name=f"steps_{number}")(inputs["values"])
        layer = StringStates(
            len(model.vocabulary),
            **model.layers,
            dtype=precision,
            name=f"language_model_{number}",
        )
        results.append(layer(characters, steps))
        if model.weights is not None:
            layer.assign_weights(model.weights)
        inputs[characters.name] = characters
    return results
