"""Names of a model's layers that all templates share, such as "embedding" and "layer_1"."""

import re
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from seqzoo.tasks.errors import SeqzooError, nearest
from seqzoo.tasks.many_to_many_aligned.language_model_network import LanguageModel
from seqzoo.tasks.runs.weight_paths import children, weights_by_path

OUTPUTS = "outputs"
"""The name of the layer that computes scores of labels, tokens or numbers."""

FITTED = frozenset({"linear", "correction"})
"""The layers, or weights, of a forecaster that are fitted to the data after training."""

DECODER = "decoder_"
"""Prefix of the names of a decoder's layers, if there is an encoder."""


def weights_by_layer(model: Any) -> dict[str, dict[str, Any]]:
    """The weights of a model, by layer and by path within the layer.

    Layers that read inputs have the same names in all templates: "embedding", "ngrams",
    "characters", "vectors", "layer_1" and so on, bidirectional or not. Others are "outputs",
    "crf", "bridge", and, if a text is generated from an input, "decoder_embedding",
    "decoder_layer_1", "decoder_attention", "decoder_outputs".
    """
    results: dict[str, dict[str, Any]] = {}
    for path, weight in weights_by_path(model).items():
        if tf.as_dtype(weight.dtype).is_floating:  # not the states of seed generators
            layer, name = _named(path.split("/"), model)
            results.setdefault(layer, {})[name] = weight
    return results


def freeze(model: Any, names: Sequence[str]) -> None:
    """Excludes layers from training.

    Args:
        model: a built model.
        names: the names of its layers; see `weights_by_layer`.

    Raises:
        SeqzooError: there is no such layer, or no layer is left to train.
    """
    layers = {
        name: weights for name, weights in weights_by_layer(model).items() if name not in FITTED
    }
    for name in names:
        if name not in layers:
            raise SeqzooError(
                f"`freeze` must name layers of the model ({', '.join(layers)}), got {name!r}"
                f"{nearest(name, layers)}",
                field="freeze",
                got=name,
            )
    _freeze(model, {id(weight) for name in names for weight in layers[name].values()})
    if not model.trainable_variables:
        raise SeqzooError(
            "`freeze` must leave at least one layer to train, but it names all of them: "
            f"{', '.join(names)}.",
            field="freeze",
        )


def _freeze(layer: Any, frozen: set[int]) -> None:
    for _, child in children(layer):
        weights = [item for item in child.weights if tf.as_dtype(item.dtype).is_floating]
        if weights and all(id(weight) in frozen for weight in weights):
            child.trainable = False
        else:
            _freeze(child, frozen)
    for weight in layer.weights:
        if id(weight) in frozen:  # it may belong to no sublayer
            weight.trainable = False


def _named(path: list[str], model: Any) -> tuple[str, str]:
    """The name of a weight's layer, and the path of the weight within the layer."""
    outer, prefix = path[0], ""
    if len(path) > 1 and (
        outer == "encoder" or (outer == "decoder" and isinstance(model, LanguageModel))
    ):
        path = path[1:]
    elif len(path) > 1 and outer == "decoder":
        path, prefix = path[1:], DECODER
    if path == ["output_bias"]:  # of tied embeddings
        return prefix + OUTPUTS, "output_bias"
    layer = re.sub(r"^recurrent\[(\d+)\]$", lambda match: f"layer_{int(match[1]) + 1}", path[0])
    layer = re.sub(r"^both_ways_", "layer_", layer)
    layer = re.sub(r"^(scores|output_layer)$", OUTPUTS, layer)
    layer = re.sub(r"\[\d+\]$", "", layer)
    # The layers of a list share one name; their positions become part of the weights' paths.
    inner = path[0][len(layer) :] if path[0].startswith(f"{layer}[") else ""
    return prefix + layer, "/".join([*([inner] if inner else []), *path[1:]])
