"""How raw inputs become the tensors a model takes, in training and in the exported graph."""

from typing import Any

from seqzoo.tasks.preprocessing.audio import AudioFeatures
from seqzoo.tasks.preprocessing.base import Features
from seqzoo.tasks.preprocessing.class_names import NameFeatures
from seqzoo.tasks.preprocessing.image_rows import RowFeatures
from seqzoo.tasks.preprocessing.images import ImageFeatures
from seqzoo.tasks.preprocessing.piano_roll import NoteFeatures
from seqzoo.tasks.preprocessing.series import SeriesFeatures
from seqzoo.tasks.preprocessing.text import TextFeatures
from seqzoo.tasks.preprocessing.vectors import VectorFeatures

FEATURES: dict[str, type[Features]] = {
    "characters": TextFeatures,
    "words": TextFeatures,
    "subwords": TextFeatures,
    "rows": RowFeatures,
    "pixels": RowFeatures,
    "series": SeriesFeatures,
    "audio": AudioFeatures,
    "image": ImageFeatures,
    "vector": VectorFeatures,
    "class": NameFeatures,
    "notes": NoteFeatures,
}


def learn(template: Any, examples: Any) -> Features:
    """Features for a template's `input`, with all that they learn from training examples."""
    return FEATURES[template.input].learn(template, examples)


__all__ = ["FEATURES", "Features", "learn"]
