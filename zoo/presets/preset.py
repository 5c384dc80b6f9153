"""The definition of a preset: a data set, a template with its options, and how to train it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from seqzoo.tasks.base import Template
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.zoo.data.source import Source

Size = Literal["base", "small"]


@dataclass(frozen=True)
class Preset:
    """A template with data and settings, ready to train.

    Attributes:
        description: a one-line description.
        source: the source of its examples.
        task: the template with its options.
        training: the training settings.
        score: its test score, with the seed; empty if it has not been measured.
        small: the options that differ in the small size, which needs less memory and time.
        needs: a description of the files to name with --data, --validation and --test; empty if the
            source names the data.
    """

    description: str
    source: Source
    task: Template
    training: TrainingSettings
    score: str = ""
    needs: str = ""
    small: Mapping[str, Any] = field(default_factory=lambda: {"units": 64})

    def sized(self, size: Size) -> Template:
        """The template in one of the model sizes."""
        task: Any = self.task
        return task if size == "base" else replace(task, **self.small)
