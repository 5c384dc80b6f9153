"""Predictions of classes and of labels."""

from typing import Any

import numpy as np

from seqzoo.tasks.export.predict.outputs_per_example import OutputsPerExample


class Classes(OutputsPerExample):
    """The most probable class of each input."""

    def answer(self, outputs: dict[str, np.ndarray], length: Any) -> dict[str, Any]:
        about, probabilities = self.model.answer, outputs["probabilities"]
        ranked = np.argsort(-probabilities, kind="stable")[: about["top"]]
        pairs = [(about["names"][index], float(probabilities[index])) for index in ranked]
        name, probability = pairs[0]
        return {"label": name, "value": name, "probability": probability, "alternatives": pairs}


class Labels(OutputsPerExample):
    """For each input, the labels whose probability reaches the threshold."""

    def answer(self, outputs: dict[str, np.ndarray], length: Any) -> dict[str, Any]:
        about = self.model.answer
        pairs = list(zip(about["names"], map(float, outputs["probabilities"]), strict=True))
        pairs.sort(key=lambda pair: -pair[1])
        value = [name for name, probability in pairs if probability >= about["threshold"]]
        return {
            "label": ", ".join(value),
            "value": value,
            "probability": None,
            "alternatives": pairs,
        }
