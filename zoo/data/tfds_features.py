"""Finds the features of inputs and targets in a tfds data set, and names its labels."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from seqzoo.tasks.errors import SeqzooError, nearest, some_of
from seqzoo.tasks.kinds import TEXTS
from seqzoo.zoo.data.source import Source

NEEDS = {
    "characters": "text",
    "words": "text",
    "subwords": "text",
    "lemma": "text",
    "rows": "an image",
    "pixels": "an image",
    "columns": "an image",
    "series": "a sequence of numbers",
    "audio": "audio",
    "class": "a class",
    "labels": "a list of classes",
    "value": "a number",
    "image": "an image",
    "vector": "numbers",
    "notes": "frames of zeros and ones",
    "tags": "a sequence of classes",
    "values": "a sequence of numbers",
}
"""What a feature must be for each type of input or target, for messages."""


@dataclass(frozen=True)
class Feature:
    """One feature, which may be nested: "translation/en".

    Attributes:
        path: the names from the outermost one to its own.
        connector: its tfds connector, wrapped in a sequence if the feature is within one.
    """

    path: tuple[str, ...]
    connector: Any

    @property
    def name(self) -> str:
        """Its name for users."""
        return "/".join(self.path)

    def of(self, example: Any) -> Any:
        """Its value in an example, or its values in a batch."""
        for key in self.path:
            example = example[key]
        return example

    def labeller(self, english: Mapping[str, str]) -> Callable[[Any], str]:
        """The function that converts a stored label to text; "" for a hidden label.

        Args:
            english: English names of labels, which replace those of the feature.
        """
        feature = getattr(self.connector, "feature", self.connector)
        if isinstance(feature, tfds.features.Text):
            return lambda label: label.decode("utf-8", errors="replace")
        if not isinstance(feature, tfds.features.ClassLabel):
            return lambda label: str(int(label))
        names = [english.get(label, label) for label in feature.names]
        return lambda label: names[label] if label >= 0 else ""


def all_features(builder: tfds.core.DatasetBuilder) -> dict[str, Feature]:
    """All features of a data set by name, including nested ones."""
    results = sorted(_leaves((), builder.info.features), key=lambda feature: feature.path)
    return {feature.name: feature for feature in results}


def _leaves(path: tuple[str, ...], connector: Any) -> Iterator[Feature]:
    of = tfds.features
    if isinstance(connector, of.FeaturesDict):
        for name, inner in connector.items():
            yield from _leaves((*path, name), inner)
    elif isinstance(_inner(connector), of.FeaturesDict):
        for feature in _leaves(path, _inner(connector)):
            yield Feature(feature.path, of.Sequence(feature.connector))
    else:
        yield Feature(path, connector)


def chosen(source: Source, builder: tfds.core.DatasetBuilder) -> tuple[Feature, Feature | None]:
    """The features of inputs and targets: the named ones, or the only possible ones.

    Raises:
        SeqzooError: there is none, or several.
    """
    features = all_features(builder)
    supervised = builder.info.supervised_keys or (None, None)
    input_feature = _chosen(source, "input", source.kind, features, supervised[0])
    if source.target_kind == "next":
        return input_feature, None
    others = {name: feature for name, feature in features.items() if name != input_feature.name}
    return input_feature, _chosen(source, "target", source.target_kind, others, supervised[1])


def decoders(
    features: Sequence[Feature], builder: tfds.core.DatasetBuilder
) -> tfds.decode.PartialDecoding | None:
    """The features that tfds decodes; None for all."""
    whole = builder.info.features
    if type(whole) is not tfds.features.FeaturesDict:
        return None
    tree: dict[str, Any] = {}
    for feature in features:
        at, connector = tree, whole
        *outer, last = feature.path
        for key in outer:
            connector = _inner(connector)[key]
            if type(_inner(connector)) is not tfds.features.FeaturesDict:
                last = key  # tfds cannot decode a part of it
                break
            at = at.setdefault(key, {})
        at[last] = True
    return tfds.decode.PartialDecoding(tree)


def _inner(connector: Any) -> Any:
    """The feature of the elements of a sequence; any other feature unchanged."""
    return connector.feature if type(connector) is tfds.features.Sequence else connector


def _chosen(
    source: Source, argument: str, kind: str, features: dict[str, Feature], supervised: Any
) -> Feature:
    """The named feature, or the only possible one."""
    named = getattr(source, argument)
    if named is not None and named not in features:
        inner = [name for name in features if name.endswith(f"/{named}")]
        if len(inner) != 1:
            raise SeqzooError(
                f"`{argument}` must be one of the features of {source.data} "
                f"({some_of(list(features))}), got {named!r}{nearest(named, features)}"
            )
        named = inner[0]
    if named is not None:
        if not _fits(kind, features[named].connector):
            raise SeqzooError(
                f"`{argument}` must be {NEEDS[kind]} for {kind!r}, but {named!r} of {source.data} "
                f"is {type(features[named].connector).__name__}."
            )
        return features[named]
    fitting = [name for name, feature in features.items() if _fits(kind, feature.connector)]
    if isinstance(supervised, str) and supervised in fitting:
        return features[supervised]
    classes = [
        name for name in fitting if isinstance(features[name].connector, tfds.features.ClassLabel)
    ]
    fitting = classes or fitting
    if len(fitting) == 1:
        return features[fitting[0]]
    candidates = f"{some_of(fitting)} would fit" if fitting else "none fits"
    raise SeqzooError(
        f"`{argument}` must name the feature of {source.data} that is {NEEDS[kind]}: {candidates} "
        f"(of {some_of(list(features))})."
    )


def _fits(kind: str, connector: Any) -> bool:
    of = tfds.features
    if kind in TEXTS:
        words = isinstance(connector, of.Sequence) and isinstance(connector.feature, of.Text)
        return isinstance(connector, of.Text) or (words and kind == "words")
    if kind in ("rows", "pixels", "columns", "image"):
        return isinstance(connector, of.Image)
    if kind == "audio":
        return isinstance(connector, of.Audio)
    names = of.ClassLabel | of.Text
    if isinstance(connector, of.Sequence) and isinstance(connector.feature, names):
        return kind in ("labels", "tags")
    if isinstance(connector, names):
        return kind == "class"
    shape = getattr(connector, "shape", None)
    plain = type(connector) in (of.Tensor, of.Scalar, of.Sequence)
    if (
        kind in ("labels", "tags")
        or not plain
        or shape is None
        or isinstance(shape, dict)
        or not np.issubdtype(connector.np_dtype, np.number)
    ):
        return False
    if kind == "class":
        return len(shape) == 0 and np.issubdtype(connector.np_dtype, np.integer)
    dimensions = {"value": (0, 1), "vector": (1,)}
    return len(shape) in dimensions.get(kind, (1, 2))
