"""The weights of a model by path; paths do not depend on the order in which layers are created."""

from collections.abc import Iterator
from typing import Any

import keras


def weights_by_path(layer: Any) -> dict[str, Any]:
    """The weights of a layer or model by their paths, such as "decoder/recurrent[0]/cell/kernel".

    The parts of a path are the attributes that contain the layers, or in a functional model the
    names of the layers, followed by the name of the weight. Names that Keras numbers within a
    process, such as "dense_1", do not occur in paths, as long as all layers of functional models
    that have weights are named explicitly.

    Raises:
        ValueError: two weights of a layer have the same name.
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
    """Yields the sublayers of a layer with the attributes that contain them, or those of a
    functional model with their names."""
    attributes = {name: value for name, value in vars(layer).items() if not name.startswith("_")}
    layers = [pair for name in sorted(attributes) for pair in _layers(name, attributes[name])]
    if not layers and isinstance(layer, keras.Model):
        layers = [(child.name, child) for child in layer.layers]
    yield from layers


def _layers(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, keras.layers.Layer):
        yield name, value
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _layers(f"{name}[{index}]", item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _layers(f"{name}[{key}]", item)
