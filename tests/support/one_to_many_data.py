"""Small examples that the tests of `OneToMany` share."""

from typing import Any

import numpy as np

from seqzoo.tasks import Examples, OneToMany

SHAPE = (9, 7, 3)
KINDS = {"image": {"filters": (5, 4)}, "vector": {}, "class": {}}
CLASSES = ["b", "a", "ü b"]


def captions(count: int) -> list[str]:
    """Three texts of different lengths, in turn."""
    each = ["one", "a longer text here", "two words"]
    return [each[index % 3] for index in range(count)]


def inputs(kind: str, count: int, seed: int = 0) -> Any:
    """Raw inputs of three similar groups; the group determines the caption."""
    random = np.random.default_rng(seed)
    if kind == "image":
        base = random.integers(0, 200, (3, *SHAPE))
        noise = random.integers(0, 20, (count, *SHAPE))
        return np.stack([base[i % 3] + noise[i] for i in range(count)]).astype(np.uint8)
    if kind == "vector":
        base = random.normal(3.0, 2.0, (3, 4))
        return np.stack([base[i % 3] + random.normal(0, 0.1, 4) for i in range(count)])
    return [CLASSES[index % 3] for index in range(count)]


def captioned(kind: str = "image", count: int = 12) -> Examples:
    """Inputs with their captions."""
    return Examples(inputs(kind, count), captions(count))


def template(kind: str = "image", **choices) -> OneToMany:
    """A small template."""
    options = {"input": kind, "units": 10, "embedding": 6, **KINDS[kind], **choices}
    return OneToMany(**options)
