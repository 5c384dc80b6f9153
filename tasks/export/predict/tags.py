"""Predictions of a tag per token."""

import math
from typing import Any

import numpy as np

from seqzoo.tasks.export.predict.outputs_per_example import OutputsPerExample


class Tags(OutputsPerExample):
    """The most probable tag of each token."""

    def answer(self, outputs: dict[str, np.ndarray], length: Any) -> dict[str, Any]:
        ids, probabilities, log_probability = self.best(outputs, length)
        tags = [self.model.answer["names"][tag] for tag in ids]
        return {
            "label": " ".join(tags),
            "value": tags,
            "probability": math.exp(log_probability),
            "alternatives": [],
            "step_probabilities": probabilities,
        }

    def best(
        self, outputs: dict[str, np.ndarray], length: Any
    ) -> tuple[list[int], list[float], float]:
        """The ids of the best tags, the probability of each, and their joint log-probability."""
        probabilities = outputs["probabilities"][:length]
        best = probabilities.max(1).astype(np.float64)
        return probabilities.argmax(1).tolist(), best.tolist(), float(np.log(best).sum())
