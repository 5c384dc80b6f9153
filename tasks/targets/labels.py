"""Targets that are any number of labels from a fixed set."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from seqzoo.tasks.base import Prediction
from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.errors import SeqzooError, nearest
from seqzoo.tasks.metrics.calibration import calibration_of
from seqzoo.tasks.metrics.classification import f1, label_table
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.tasks.targets.base import Targets, required, sort_labels, unseen
from seqzoo.tasks.targets.weighting import Weighting, focal_weight, refuse

THRESHOLD = 0.5
"""Minimum probability of a predicted label."""


class LabelTargets(Targets):
    """Independent labels by name; the loss is the mean binary cross-entropy over labels, the metric
    F1 over all decisions together (micro-F1).

    Args:
        names: names of the labels, in the order of the outputs.
    """

    metric = "micro_f1"
    sums = 3
    weighs = True

    def __init__(self, names: list[str]):
        self.names = names

    @classmethod
    def learn(cls, template: Any, examples: Examples) -> "LabelTargets":
        results = set()
        for labels in _label_lists(examples):
            results.update(labels)
        if not results:
            raise SeqzooError("At least one label is needed, but no training example has any.")
        return cls(sort_labels(results))

    @property
    def size(self) -> int:
        return len(self.names)

    def encode(self, examples: Examples) -> np.ndarray:
        ids_by_name = {name: index for index, name in enumerate(self.names)}
        encoded = np.zeros((len(examples), len(self.names)), np.float32)
        for index, labels in enumerate(_label_lists(examples)):
            for label in labels:
                if label not in ids_by_name:
                    hint = nearest(str(label), self.names)
                    raise unseen(label, examples.location(index), self.names, hint)
                encoded[index, ids_by_name[label]] = 1.0
        return encoded

    def objective(self, outputs: Any, targets: Any) -> tuple[Any, Any]:
        loss = tf.nn.sigmoid_cross_entropy_with_logits(targets, outputs)
        predicted = tf.cast(tf.sigmoid(outputs) >= THRESHOLD, tf.float32)
        hits, predicted, actual = (
            tf.reduce_sum(x, -1) for x in (predicted * targets, predicted, targets)
        )
        return tf.reduce_mean(loss, -1), tf.stack([hits, predicted, actual], -1)

    def regression_targets(self, targets: Any) -> Any:
        return targets - 0.5

    def weighting(self, settings: TrainingSettings, targets: np.ndarray) -> Weighting:
        refuse(settings, "the targets 'class' and 'tags'", ["class_weight"])
        return Weighting(None, settings.focal)

    def weighted(self, losses: Any, outputs: Any, targets: Any, weighting: Weighting) -> Any:
        by_label = tf.nn.sigmoid_cross_entropy_with_logits(targets, outputs)
        assert weighting.focal is not None
        return tf.reduce_mean(by_label * focal_weight(by_label, weighting.focal), -1)

    def decisions(self, outputs: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # Each label is a choice between two classes, whose logits are 0 and the label's own, since
        # their softmax is the sigmoid of the latter.
        logits = outputs.reshape(-1)
        return np.stack([np.zeros_like(logits), logits], -1), targets.reshape(-1).astype(int)

    def measure(self, sums: np.ndarray, weight: float) -> float:
        return f1(*sums)

    def decode(self, outputs: Any, top: int) -> dict[str, Any]:
        del top  # every label is a separate prediction
        probabilities = tf.sigmoid(outputs)
        names = tf.broadcast_to(tf.constant(self.names), tf.shape(outputs))
        return {
            "labels": names,
            "probabilities": probabilities,
            "predicted": probabilities >= THRESHOLD,
        }

    def predictions(self, outputs: np.ndarray, top: int) -> list[Prediction]:
        predictions, decoded = [], self.decode(tf.constant(outputs), top)
        for probabilities in decoded["probabilities"].numpy():
            ranked = sorted(
                zip(self.names, map(float, probabilities), strict=True), key=lambda pair: -pair[1]
            )
            labels = tuple(name for name, probability in ranked if probability >= THRESHOLD)
            predictions.append(Prediction(", ".join(labels), labels, None, tuple(ranked)))
        return predictions

    def compute_metrics(self, outputs: np.ndarray, targets: np.ndarray) -> dict[str, Any]:
        predicted = 1 / (1 + np.exp(-outputs.astype(np.float64))) >= THRESHOLD
        actual = targets > 0.5
        table = label_table(actual, predicted, self.names)
        return {
            "micro_f1": f1((predicted & actual).sum(), predicted.sum(), actual.sum()),
            "macro_f1": float(np.mean([row["f1"] for row in table])),
            "exact": float((predicted == actual).all(-1).mean()),
            "errors": int((predicted != actual).any(-1).sum()),
            "classes": table,
            "calibration": calibration_of(*self.decisions(outputs, targets)),
        }

    def to_config(self) -> dict[str, Any]:
        return {"names": self.names}

    @classmethod
    def from_config(cls, template: Any, config: dict[str, Any]) -> "LabelTargets":
        return cls(config["names"])


def _label_lists(examples: Examples) -> Iterator[list[str]]:
    """The labels of each example.

    Raises:
        SeqzooError: those of an example are not a sequence of strings.
    """
    for index, labels in enumerate(required(examples)):
        listed: list[Any] = [None]  # the characters of a string are not labels
        if isinstance(labels, Iterable) and not isinstance(labels, str):
            listed = list(labels)
        if not all(isinstance(label, str) for label in listed):
            raise SeqzooError(
                f"Labels must be a sequence of strings, but {examples.location(index)} has "
                f"{labels!r}.",
                location=examples.location(index),
            )
        yield listed
