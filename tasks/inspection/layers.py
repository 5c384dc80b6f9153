"""The recurrent layers of a model, by descriptive names."""

import re
from collections.abc import Iterator
from typing import Any

import keras

from seqzoo.cells import Recurrent
from seqzoo.tasks.runs.weight_paths import children

DIRECTIONS = ("forward", "backward")


def recurrent_layers(model: Any) -> dict[str, Recurrent]:
    """All `Recurrent` layers of a model or layer by name, in order.

    A bidirectional layer contains two, "layer 1 forward" and "layer 1 backward"; the layers of an
    encoder and a decoder are called "encoder 1" and "decoder 1".

    Args:
        model: any Keras model or layer.
    """
    results: dict[str, Recurrent] = {}
    for path, layer in _walk(model, ()):
        if all(layer is not value for value in results.values()):
            name = _name(path)
            results[name if name not in results else f"{name} #{len(results) + 1}"] = layer
    return results


def _walk(layer: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Recurrent]]:
    if isinstance(layer, Recurrent):
        yield path, layer
    elif isinstance(layer, keras.layers.Bidirectional):
        for direction in DIRECTIONS:
            yield from _walk(getattr(layer, f"{direction}_layer"), (*path, direction))
    else:
        for name, child in children(layer):
            yield from _walk(child, (*path, name))


def _name(path: tuple[str, ...]) -> str:
    """The name of a layer for messages: "layer 1 forward" for ("both_ways_1", "forward"), "encoder
    1" for ("encoder", "recurrent[0]")."""
    words = []
    for part in path:
        part = re.sub(r"\[(\d+)\]", lambda match: f" {int(match[1]) + 1}", part)
        words += part.replace("_", " ").split()
    text = " ".join(words).replace("both ways", "layer")
    outer, _, rest = text.partition("recurrent")
    if outer != text:
        text = f"{outer or 'layer '}{rest.strip()}" if rest.strip() or not outer else outer
    text = " ".join(text.split())
    return f"layer 1 {text}".strip() if text in ("", *DIRECTIONS) else text
