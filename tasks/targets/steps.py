"""Targets at each step of a sequence: numbers, or notes."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from seqzoo.tasks.decoding.settings import Method
from seqzoo.tasks.metrics.classification import f1
from seqzoo.tasks.targets.elements import ElementLoss
from seqzoo.tasks.targets.numbers import StandardizedNumbers


class StepTargets(ABC):
    """A target type; `outputs` are those of a model, (batch, time, `size`), float32.

    Attributes:
        metric: name of the metric that is reported next to the loss; a mean over steps.
        methods: decoding methods for generating the next steps, the default first; see `Decoding`.
        size: number of outputs of the model per step.
        logits: see `Targets`.
    """

    metric: str
    methods: tuple[Method, ...] = ("greedy",)
    size: int
    logits: bool = False

    @classmethod
    @abstractmethod
    def of_features(cls, features: Any, loss: ElementLoss) -> "StepTargets":
        """Targets that are the steps of inputs, encoded by some `Features`.

        Args:
            features: the features.
            loss: the loss for numbers.
        """

    @abstractmethod
    def objective(self, outputs: Any, targets: Any) -> tuple[Any, Any]:
        """Loss and metric of each step, (batch, time)."""

    def regression_targets(self, targets: Any) -> Any:
        """The values that a readout is fitted to; see `Targets.regression_targets`."""
        return targets

    @abstractmethod
    def following(self, outputs: Any, numbers: Any, temperature: float) -> Any:
        """The step that is fed to a model next, (rows, size).

        Args:
            outputs: the model's outputs for this step, (rows, size).
            numbers: random numbers in [0, 1), (rows, size), or None for the most probable step.
            temperature: divides log-odds in sampling.
        """

    def predicted(self, outputs: Any) -> Any:
        """Converts outputs to predicted steps, in the form in which a model takes them as input."""
        return outputs

    @abstractmethod
    def decode(self, values: Any) -> Any:
        """Standardised steps -> steps in the units of the data."""

    def unscaled(self, values: Any) -> np.ndarray:
        """Standardised steps -> steps in the units of the data, float64."""
        return np.asarray(values, np.float64)

    @abstractmethod
    def compute_metrics(self, outputs: Sequence[Any], targets: Sequence[Any]) -> dict[str, Any]:
        """The metrics of an evaluation, JSON-serialisable, without the loss and the count.

        Args:
            outputs: arrays of shape (time, size), one per example.
            targets: arrays of the same shapes.
        """

    @abstractmethod
    def prediction(self, values: np.ndarray) -> tuple[str, tuple]:
        """Steps in the units of the data, (time, size), as text and as plain Python values."""


class StepValues(StandardizedNumbers, StepTargets):
    """Numbers at each step; see `StandardizedNumbers`."""

    @property
    def size(self) -> int:
        return len(self.mean)

    @classmethod
    def of_features(cls, features: Any, loss: ElementLoss) -> "StepValues":
        return cls(features.mean, features.scale, loss)

    def objective(self, outputs: Any, targets: Any) -> tuple[Any, Any]:
        return self.losses_and_errors(outputs, targets)

    def following(self, outputs: Any, numbers: Any, temperature: float) -> Any:
        del numbers, temperature  # the outputs are only means, so nothing can be sampled
        return outputs

    def predicted(self, outputs: Any) -> Any:
        return self.loss.predict(outputs)

    def decode(self, values: Any) -> Any:
        return values * tf.constant(self.scale, tf.float32) + tf.constant(self.mean, tf.float32)

    def unscaled(self, values: Any) -> np.ndarray:
        return super().unscaled(values) * self.scale + self.mean

    def compute_metrics(self, outputs: Sequence[Any], targets: Sequence[Any]) -> dict[str, Any]:
        return self.scores(np.concatenate(outputs), np.concatenate(targets))

    def prediction(self, values: np.ndarray) -> tuple[str, tuple]:
        rows = [tuple(row) for row in values.astype(float).tolist()]
        texts = [" ".join(f"{number:.6g}" for number in row) for row in rows]
        return ", ".join(texts), tuple(row[0] if self.size == 1 else row for row in rows)


class StepNotes(StepTargets):
    """Notes that are on or off, each with its own probability; loss and metric are the negative
    log-likelihood of a frame, in nats (Boulanger-Lewandowski, Bengio and Vincent 2012, section 6).

    Args:
        size: number of notes.
    """

    metric = "nll"
    methods = ("sample", "greedy")
    logits = True

    def __init__(self, size: int):
        self.size = size

    @classmethod
    def of_features(cls, features: Any, loss: ElementLoss) -> "StepNotes":
        del loss  # the choice of loss applies to numbers only
        return cls(features.notes)

    def regression_targets(self, targets: Any) -> Any:
        return targets - 0.5

    def objective(self, outputs: Any, targets: Any) -> tuple[Any, Any]:
        by_note = tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=outputs)
        frames = tf.reduce_sum(by_note, -1)
        return frames, frames

    def following(self, outputs: Any, numbers: Any, temperature: float) -> Any:
        if numbers is None:
            return tf.cast(outputs > 0, outputs.dtype)
        return tf.cast(numbers < tf.sigmoid(outputs / temperature), outputs.dtype)

    def decode(self, values: Any) -> Any:
        return values

    def compute_metrics(self, outputs: Sequence[Any], targets: Sequence[Any]) -> dict[str, Any]:
        predicted, actual = np.concatenate(outputs) > 0, np.concatenate(targets) > 0
        hits, either = int((predicted & actual).sum()), int((predicted | actual).sum())
        logits = np.concatenate(outputs).astype(np.float64)
        losses = np.logaddexp(0, logits) - logits * actual
        return {
            "nll": float(losses.sum(1).mean()),
            # Notes that are both predicted and true, divided by those that are either (Bay et al.
            # 2009).
            "note_accuracy": hits / either if either else 1.0,
            "note_f1": f1(hits, int(predicted.sum()), int(actual.sum())),
        }

    def prediction(self, values: np.ndarray) -> tuple[str, tuple]:
        frames = tuple(tuple(np.flatnonzero(frame).tolist()) for frame in values)
        return " | ".join(" ".join(str(note) for note in frame) for frame in frames), frames
