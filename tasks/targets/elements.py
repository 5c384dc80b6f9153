"""Elementwise losses for numeric targets, and the activations of the outputs that predict them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from seqzoo.tasks.errors import SeqzooError, nearest
from seqzoo.tasks.preprocessing.base import moments

ACTIVATIONS = {"poisson": "exponential", "bernoulli": "sigmoid", "cross-entropy": "softmax"}
"""Default activation of the outputs for each loss; other losses have none."""

MIN_LOG_ARGUMENT = 1e-7
"""Lower bound on values before their logarithm is taken, so that it is finite."""


@dataclass(frozen=True)
class ElementLoss:
    """A loss between outputs o and targets t; predictions are y = f(o), where f is the activation.

        squared         (y - t)^2
        absolute        |y - t|
        huber           (y - t)^2 / 2 up to a distance of 1, then |y - t| - 1/2 (Huber 1964)
        poisson         y - t log y
        bernoulli       -t log y - (1 - t) log(1 - y)
        cross-entropy   -t log y, summed over elements, where t and y sum to 1

    The loss of several elements is their mean, except for the cross-entropy.

    Attributes:
        name: the name of the loss.
        activation: a name in `keras.activations`; None for the default activation of the loss.
    """

    name: str = "squared"
    activation: str | None = None

    @classmethod
    def of(cls, template: Any) -> "ElementLoss":
        """The loss that a template's `loss` and `output_activation` ask for.

        Raises:
            SeqzooError: there is no such activation.
        """
        loss = cls(template.loss or "squared", template.output_activation)
        try:
            keras.activations.get(loss.activation)
        except (ValueError, TypeError) as error:
            names = [name for name in dir(keras.activations) if name[0].islower()]
            raise SeqzooError(
                "`output_activation` must be a name in keras.activations, got "
                f"{loss.activation!r}{nearest(str(loss.activation), names)}",
                field="output_activation",
            ) from error
        return loss

    @property
    def activation_name(self) -> str:
        """Name of the activation, the default one included."""
        return self.activation or ACTIVATIONS.get(self.name, "linear")

    @property
    def standardises(self) -> bool:
        """Whether targets are standardised: only where predictions are unbounded."""
        return self.activation_name == "linear" and self.name in ("squared", "absolute", "huber")

    def scales(self, values: np.ndarray) -> tuple[list[float], list[float]]:
        """The mean and standard deviation with which targets, (n, elements), are standardised; 0
        and 1 if they are not."""
        if self.standardises:
            return moments(values)
        return [0.0] * values.shape[1], [1.0] * values.shape[1]

    def baseline(self, mean: list[float], training_mean: list[float] | None) -> list[float] | None:
        """The training mean of targets, whose standardisation subtracts `mean`; None if it was not
        stored, as in runs of earlier versions."""
        return mean if training_mean is None and self.standardises else training_mean

    def check(self, values: Sequence[np.ndarray] | np.ndarray, locations: Sequence[str]) -> None:
        """Checks that targets are in the range of the loss.

        Raises:
            SeqzooError: a target is out of range; the message says where it is.
        """
        for value, location in zip(values, locations, strict=True):
            if self.name == "poisson" and (value < 0).any():
                expected = "at least 0 for the loss 'poisson'"
            elif self.name == "bernoulli" and ((value < 0) | (value > 1)).any():
                expected = "at least 0 and at most 1 for the loss 'bernoulli'"
            elif self.name == "cross-entropy" and (
                (value < 0).any() or not np.allclose(np.sum(value, -1), 1, atol=1e-3)
            ):
                expected = "proportions that sum to 1 for the loss 'cross-entropy'"
            else:
                continue
            shown = np.ravel(value)[:4].tolist()
            raise SeqzooError(
                f"The target of {location} must be {expected}, got {shown}.", location=location
            )

    def predict(self, outputs: Any) -> Any:
        """Predictions, from outputs of the same shape."""
        if self.activation_name == "linear":
            return outputs
        return keras.activations.get(self.activation_name)(outputs)

    def __call__(self, outputs: Any, targets: Any) -> Any:
        """The loss of each prediction, (..., elements) -> (...)."""
        is_default = self.activation in (None, ACTIVATIONS.get(self.name))
        if is_default and self.name == "cross-entropy":
            return tf.nn.softmax_cross_entropy_with_logits(targets, outputs)
        if is_default and self.name == "bernoulli":
            losses = tf.nn.sigmoid_cross_entropy_with_logits(targets, outputs)
        elif is_default and self.name == "poisson":
            losses = tf.exp(outputs) - targets * outputs
        else:
            losses = self._elements(self.predict(outputs), targets)
        if self.name == "cross-entropy":
            return tf.reduce_sum(losses, -1)
        return tf.reduce_mean(losses, -1)

    def _elements(self, predicted: Any, targets: Any) -> Any:
        if self.name == "squared":
            return tf.square(predicted - targets)
        distance = tf.abs(predicted - targets)
        if self.name == "absolute":
            return distance
        if self.name == "huber":
            return tf.where(distance <= 1, 0.5 * tf.square(distance), distance - 0.5)
        logarithm = tf.math.log(tf.maximum(predicted, MIN_LOG_ARGUMENT))
        if self.name == "poisson":
            return predicted - targets * logarithm
        if self.name == "cross-entropy":
            return -targets * logarithm
        opposite = tf.math.log(tf.maximum(1 - predicted, MIN_LOG_ARGUMENT))
        return -targets * logarithm - (1 - targets) * opposite
