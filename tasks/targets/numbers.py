"""What numeric targets have in common, one per example or per step."""

from typing import Any

import numpy as np
import tensorflow as tf

from seqzoo.tasks.metrics.errors import errors, errors_of_mean
from seqzoo.tasks.targets.elements import ElementLoss


class StandardizedNumbers:
    """Numbers; the loss is that of the template, by default the mean squared error after
    standardisation, and the metric the mean absolute error in the units of the data.

    Args:
        mean: mean of each target value over the training data.
        scale: standard deviation of each target value over the training data.
        loss: the loss between outputs and targets.
        training_mean: the mean over the training data, if targets are not standardised.
    """

    metric = "mae"

    def __init__(
        self,
        mean: list[float],
        scale: list[float],
        loss: ElementLoss | None = None,
        training_mean: list[float] | None = None,
    ):
        self.mean = mean
        self.scale = scale
        self.loss = loss or ElementLoss()
        self.training_mean = self.loss.baseline(mean, training_mean)

    def losses_and_errors(self, outputs: Any, targets: Any) -> tuple[Any, Any]:
        """The loss and the mean absolute error of each prediction, (..., values) -> (...)."""
        error = self.loss.predict(outputs) - targets
        absolute = tf.abs(error * tf.constant(self.scale, outputs.dtype))
        return self.loss(outputs, targets), tf.reduce_mean(absolute, -1)

    def predicted_numbers(self, outputs: np.ndarray) -> np.ndarray:
        """Predictions from outputs of the same shape, standardised, float64."""
        return self.loss.predict(tf.constant(outputs)).numpy().astype(np.float64)

    def numbers(self, outputs: np.ndarray) -> np.ndarray:
        """Predictions in the units of the data from outputs of the same shape, float64: in 32 bits,
        a small difference between large values would be lost."""
        return self.predicted_numbers(outputs) * self.scale + self.mean

    def scores(self, outputs: np.ndarray, targets: np.ndarray) -> dict[str, Any]:
        """The errors of predictions in the units of the data, and those of predicting the training
        mean, from outputs and targets of shape (n, values)."""
        truth = targets.astype(np.float64)
        return {
            **errors((self.predicted_numbers(outputs) - truth) * self.scale),
            **errors_of_mean(truth * self.scale + self.mean, self.training_mean),
        }
