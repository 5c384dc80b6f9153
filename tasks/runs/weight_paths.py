"""The weights of a model by their paths in it, regardless of the order of their creation."""

from collections.abc import Iterator
from typing import Any

import keras


def weights_by_path(layer: Any) -> dict[str, Any]:
    """The weights of a layer or model by their paths, such as "decoder/recurrent[0]/cell/kernel".

    A part of a path is the attribute that contains a layer, or in a functional model the layer's
    name, and the last part the weight's own name. Names that Keras numbers within each process do
    not occur in paths, as long as the layers with weights in functional models are named.
    """
    results: dict[str, Any] = {}
    inner: set[int] = set()
    for name, child in children(layer):
        for path, weight in weights_by_path(child).items():
            if id(weight) not in inner:
                results[f"{name}/{path}"] = weight
                inner.add(id(weight))
    for weight in layer.weights:
        if id(weight) not in inner:
            if weight.name in results:
                raise ValueError(f"Two weights of {layer.name!r} are named {weight.name!r}.")
            results[weight.name] = weight
    return results


def children(layer: Any) -> Iterator[tuple[str, Any]]:
    """The sublayers of a layer, by attribute; those of a functional model, by name."""
    attributes = {name: held for name, held in vars(layer).items() if not name.startswith("_")}
    held = [pair for name in sorted(attributes) for pair in _layers(name, attributes[name])]
    if not held and isinstance(layer, keras.Model):
        held = [(child.name, child) for child in layer.layers]
    yield from held


def _layers(name: str, held: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(held, keras.layers.Layer):
        yield name, held
    elif isinstance(held, list | tuple):
        for index, one in enumerate(held):
            yield from _layers(f"{name}[{index}]", one)
    elif isinstance(held, dict):
        for key, one in held.items():
            yield from _layers(f"{name}[{key}]", one)
