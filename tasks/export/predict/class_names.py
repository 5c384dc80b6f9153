"""Names of classes as inputs of a model that describes a class."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqzoo.tasks.export.predict.token_ids import SPECIAL


class ClassNameReader:
    """Reads names of classes.

    Args:
        about: "input" of model.json.
    """

    def __init__(self, about: dict[str, Any]):
        names = about["vocabulary"]
        self.classes = {name: SPECIAL + position for position, name in enumerate(names)}

    def tensors(self, inputs: Sequence[str]) -> dict[str, np.ndarray]:
        """Names -> ids "classes", (batch,)."""
        unknown = [name for name in inputs if name not in self.classes]
        if unknown:
            raise ValueError(f"this model knows {', '.join(self.classes)}, got {unknown[0]!r}")
        return {"classes": np.array([self.classes[name] for name in inputs], np.int32)}

    def from_argument(self, argument: str) -> str:
        """A command-line argument as an input."""
        return argument
