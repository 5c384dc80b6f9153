"""Predictions that are computed for each example from its outputs alone."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqzoo.tasks.export.predict.predictions import Predictions


class OutputsPerExample(Predictions):
    """Predictions from the part "serving", which takes all inputs at once."""

    def predict(
        self, inputs: Sequence[Any], decoding: dict[str, Any] | None
    ) -> list[dict[str, Any]]:
        tensors = self.model.tensors(inputs)
        outputs = self.model.run("serving", **tensors)
        lengths = tensors.get("lengths")
        return [
            self.answer(
                {name: array[row] for name, array in outputs.items()},
                None if lengths is None else lengths[row],
            )
            for row in range(len(inputs))
        ]

    def answer(self, outputs: dict[str, np.ndarray], length: Any) -> dict[str, Any]:
        """The prediction for one input, from its outputs and its number of steps."""
        raise NotImplementedError
