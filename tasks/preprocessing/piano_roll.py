"""Frames of zeros and ones, as in a piano roll."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.preprocessing.base import Features
from seqzoo.tasks.preprocessing.series import SeriesFeatures, pad


class NoteFeatures(Features):
    """Frames in which each note is 1 while it sounds and 0 otherwise.

    Args:
        template: a template with `maximum_length`.
        notes: number of notes.
    """

    chunk = 256

    def __init__(self, template: Any, notes: int):
        self.template = template
        self.notes = notes
        self._plain = SeriesFeatures(template, [0.0] * notes, [1.0] * notes)

    @classmethod
    def learn(cls, template: Any, examples: Examples) -> "NoteFeatures":
        first = np.asarray(examples.inputs[0])
        if first.ndim != 2:
            raise SeqzooError(
                "Notes must be zeros and ones of shape (time, notes), but "
                f"{examples.location(0)} has {first.shape}.",
                location=examples.location(0),
            )
        features = cls(template, first.shape[1])
        features.raw(examples.inputs, examples.locations)
        return features

    def raw(self, inputs: Any, locations: Sequence[str]) -> tuple:
        frames = self._plain.check(inputs, locations)
        for item, location in zip(frames, locations, strict=True):
            other = item[(item != 0) & (item != 1)]
            if other.size:
                raise SeqzooError(
                    f"Notes must be zeros and ones, but {location} has {other[0]:g}.",
                    location=location,
                )
        return pad(frames)

    def transform(self, *raw: Any) -> tuple[Any, Any]:
        return self._plain.transform(*raw)

    @property
    def signature(self) -> list:
        return [
            tf.TensorSpec((None, None, self.notes), tf.float32, "values"),
            tf.TensorSpec((None,), tf.int32, "lengths"),
        ]

    @property
    def step(self) -> tuple[tuple[int, ...], str]:
        return (self.notes,), "float32"

    def to_config(self) -> dict[str, Any]:
        return {"notes": self.notes}

    @classmethod
    def from_config(cls, template: Any, config: dict, vocabularies: dict) -> "NoteFeatures":
        return cls(template, **config)
