"""Class names as inputs."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqzoo.tasks.export.predict.token_ids import SPECIAL


class ClassNameReader:
    """Reads class names.

    Args:
        about: "input" of model.json.
    """

    def __init__(self, about: dict[str, Any]):
        names = about["vocabulary"]
        self.classes = {name: SPECIAL + position for position, name in enumerate(names)}

    def tensors(self, inputs: Sequence[str]) -> dict[str, np.ndarray]:
        """Class names -> ids "classes", (batch,)."""
        unknown = [name for name in inputs if name not in self.classes]
        if unknown:
            names = ", ".join(self.classes)
            raise ValueError(f"this model takes one of {names}, got {unknown[0]!r}")
        return {"classes": np.array([self.classes[name] for name in inputs], np.int32)}

    def from_argument(self, argument: str) -> str:
        """A command-line argument as an input."""
        return argument
