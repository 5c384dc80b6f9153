"""Targets that consist of one or more numbers."""

from typing import Any

import numpy as np
import tensorflow as tf

from seqzoo.tasks.base import Prediction
from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.preprocessing.base import finite
from seqzoo.tasks.targets.base import Targets, required
from seqzoo.tasks.targets.elements import ElementLoss
from seqzoo.tasks.targets.numbers import StandardizedNumbers


class ValueTargets(StandardizedNumbers, Targets):
    """Numbers, one prediction of them per example; see `StandardizedNumbers`."""

    better = -1
    logits = False

    @classmethod
    def learn(cls, template: Any, examples: Examples) -> "ValueTargets":
        loss, values = ElementLoss.of(template), _numbers(examples)
        loss.check(values, examples.locations)
        return cls(*loss.scales(values), loss, values.mean(0).tolist())

    @property
    def size(self) -> int:
        return len(self.mean)

    def encode(self, examples: Examples) -> np.ndarray:
        values = _numbers(examples)
        if values.shape[1] != self.size:
            raise SeqzooError(
                f"The number of values per example must be {self.size}, as in training, got "
                f"{values.shape[1]}."
            )
        self.loss.check(values, examples.locations)
        return ((values - self.mean) / self.scale).astype(np.float32)

    def objective(self, outputs: Any, targets: Any) -> tuple[Any, Any]:
        losses, absolute = self.losses_and_errors(outputs, targets)
        return losses, absolute[:, None]

    def regression_targets(self, targets: Any) -> Any:
        return targets

    def measure(self, sums: np.ndarray, weight: float) -> float:
        return float(sums[0] / weight)

    def decode(self, outputs: Any, top: int) -> dict[str, Any]:
        del top  # a value has no alternatives
        outputs = self.loss.predict(outputs)
        return {"value": outputs * tf.constant(self.scale) + tf.constant(self.mean)}

    def predictions(self, outputs: np.ndarray, top: int) -> list[Prediction]:
        del top
        predictions = []
        for row in self.numbers(outputs).tolist():
            value = row[0] if self.size == 1 else tuple(row)
            predictions.append(Prediction(", ".join(f"{number:.6g}" for number in row), value))
        return predictions

    def compute_metrics(self, outputs: np.ndarray, targets: np.ndarray) -> dict[str, Any]:
        return self.scores(outputs, targets)

    def to_config(self) -> dict[str, Any]:
        return {"mean": self.mean, "scale": self.scale, "training_mean": self.training_mean}

    @classmethod
    def from_config(cls, template: Any, config: dict[str, Any]) -> "ValueTargets":
        return cls(**config, loss=ElementLoss.of(template))


def _numbers(examples: Examples) -> np.ndarray:
    """Targets of shape (n, k), float64."""
    try:
        values = np.asarray(required(examples), np.float64)
    except (TypeError, ValueError) as error:
        raise SeqzooError(f"Values must be numbers: {error}.") from error
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2:
        raise SeqzooError(f"Values must have shape (n,) or (n, k), got {values.shape}.")
    for index in np.flatnonzero(~np.isfinite(values).all(1))[:1]:
        finite(values[index], f"the target of {examples.location(int(index))}")
    return values
