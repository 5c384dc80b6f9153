"""The base class of predictions."""

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
        """One prediction per input; only models that generate texts use `decoding`."""
        raise NotImplementedError
