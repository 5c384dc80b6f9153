"""Predictions of a tag per token."""

import math
from typing import Any

import numpy as np

from seqzoo.tasks.export.predict.outputs_per_example import OutputsPerExample


class Tags(OutputsPerExample):
    """The most probable tag of each token."""

    def answer(self, outputs: dict[str, np.ndarray], length: Any) -> dict[str, Any]:
        ids, log_probability = self.best(outputs, length)
        tags = [self.model.answer["names"][tag] for tag in ids]
        return {
            "label": " ".join(tags),
            "value": tags,
            "probability": math.exp(log_probability),
            "alternatives": [],
        }

    def best(self, outputs: dict[str, np.ndarray], length: Any) -> tuple[list[int], float]:
        """The ids of the best tags, and their log-probability."""
        probabilities = outputs["probabilities"][:length]
        log_probability = np.log(probabilities.max(1).astype(np.float64)).sum()
        return probabilities.argmax(1).tolist(), float(log_probability)
