"""How raw inputs become the tensors a model takes, in training and in the exported graph."""

from typing import Any

from seqzoo.tasks.features.audio import AudioFeatures
from seqzoo.tasks.features.base import Features
from seqzoo.tasks.features.images import ImageFeatures
from seqzoo.tasks.features.names import NameFeatures
from seqzoo.tasks.features.notes import NoteFeatures
from seqzoo.tasks.features.rows import RowFeatures
from seqzoo.tasks.features.series import SeriesFeatures
from seqzoo.tasks.features.text import TextFeatures
from seqzoo.tasks.features.vectors import VectorFeatures

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


def learn(task: Any, examples: Any) -> Features:
    """Features for a template's `input`, with all that they learn from training examples."""
    return FEATURES[task.input].learn(task, examples)


__all__ = ["FEATURES", "Features", "learn"]
