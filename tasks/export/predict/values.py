"""Predictions of numbers: for each input, for each of its steps, and for the steps after it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqzoo.tasks.export.predict.outputs_per_example import OutputsPerExample
from seqzoo.tasks.export.predict.predictions import Predictions


class Values(OutputsPerExample):
    """One or more numbers per input."""

    def answer(self, outputs: dict[str, np.ndarray], length: Any) -> dict[str, Any]:
        numbers = [float(number) for number in outputs["value"]]
        label = ", ".join(f"{number:.6g}" for number in numbers)
        value = numbers[0] if len(numbers) == 1 else numbers
        return {"label": label, "value": value, "probability": None, "alternatives": []}


class StepValues(OutputsPerExample):
    """Numbers per step."""

    def answer(self, outputs: dict[str, np.ndarray], length: Any) -> dict[str, Any]:
        return step_answer(outputs["predictions"][:length])


class Continuations(Predictions):
    """The steps that follow each series."""

    def predict(
        self, inputs: Sequence[Any], decoding: dict[str, Any] | None
    ) -> list[dict[str, Any]]:
        steps = (decoding or {}).get("maximum_length") or self.model.answer["horizon"]
        return [self.continuation(series, steps) for series in inputs]

    def continuation(self, series: Any, steps: int) -> dict[str, Any]:
        """Predicts the next steps one by one, feeding each prediction to the next step."""
        model = self.model
        values, states = model.tensors([series])[model.input["name"]][0], model.initial_states()
        outputs, predicted = {}, []
        for value in values:
            outputs, states = model.step(states, values=value[None])
        for _ in range(steps):
            (value,) = outputs.values()
            predicted.append(value[0])
            outputs, states = model.step(states, values=value)
        return step_answer(np.stack(predicted))


def step_answer(steps: np.ndarray) -> dict[str, Any]:
    """The prediction for one input, from numbers (time, features)."""
    rows = [[float(number) for number in step] for step in steps]
    label = ", ".join(" ".join(f"{number:.6g}" for number in row) for row in rows)
    value = [row[0] if len(row) == 1 else row for row in rows]
    return {"label": label, "value": value, "probability": None, "alternatives": []}
