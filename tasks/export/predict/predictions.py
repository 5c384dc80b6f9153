"""What the predictions of all kinds of models have in common."""

from collections.abc import Sequence
from typing import Any


class Predictions:
    """Predictions of a model; subclasses define `predict`.

    Args:
        model: the `Model`.
    """

    def __init__(self, model: Any):
        self.model = model

    def predict(
        self, inputs: Sequence[Any], decoding: dict[str, Any] | None
    ) -> list[dict[str, Any]]:
        """A prediction per input; `decoding` only matters to models that generate texts."""
        raise NotImplementedError
