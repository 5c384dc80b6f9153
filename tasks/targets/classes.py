"""Targets that are one class from a fixed set."""

from typing import Any

import numpy as np
import tensorflow as tf

from seqzoo.tasks.base import Prediction
from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.data.stored_columns import ClassColumn
from seqzoo.tasks.errors import SeqzooError, nearest
from seqzoo.tasks.metrics.calibration import calibration_of
from seqzoo.tasks.metrics.classification import class_table, confusion_matrix, top_confusions
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.tasks.targets.base import Targets, class_name, required, sort_labels, unseen
from seqzoo.tasks.targets.weighting import Weighting


class ClassTargets(Targets):
    """Classes by name; the loss is the cross-entropy, the metric the accuracy.

    Args:
        names: the names of the classes, in the order of the outputs.
        smoothing: fraction of the probability that is spread over all classes in the loss.
    """

    metric = "accuracy"
    weighs = True

    def __init__(self, names: list[str], smoothing: float):
        self.names = names
        self.smoothing = smoothing

    @classmethod
    def learn(cls, template: Any, examples: Examples) -> "ClassTargets":
        targets: Any = required(examples)
        if isinstance(targets, ClassColumn):
            targets = list(targets.counts())
        targets = [class_name(label) for label in targets]
        for index, label in enumerate(targets):
            if not isinstance(label, str):
                raise SeqzooError(
                    f"A class must be a string, but {examples.location(index)} has {label!r}.",
                    location=examples.location(index),
                )
        names = sort_labels(set(targets))
        if len(names) < 2:
            raise SeqzooError(
                f"At least two classes are needed, but the training examples have only {names}."
            )
        return cls(names, template.label_smoothing)

    @property
    def size(self) -> int:
        return len(self.names)

    def encode(self, examples: Examples) -> np.ndarray:
        ids_by_name = {name: index for index, name in enumerate(self.names)}
        targets = required(examples)
        if isinstance(targets, ClassColumn):
            ids = np.array([ids_by_name.get(name, -1) for name in targets.names], np.int32)
            codes = targets.codes
            if ids[np.flatnonzero(np.bincount(codes, minlength=len(ids)))].min() >= 0:
                return ids.astype(np.min_scalar_type(self.size))[codes]
        encoded = np.empty(len(examples), np.int32)
        for index, label in enumerate(map(class_name, targets)):
            if not isinstance(label, str) or label not in ids_by_name:
                hint = nearest(str(label), self.names)
                raise unseen(label, examples.location(index), self.names, hint)
            encoded[index] = ids_by_name[label]
        return encoded

    def objective(self, outputs: Any, targets: Any) -> tuple[Any, Any]:
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, outputs)
        correct = tf.argmax(outputs, -1, tf.int32) == targets
        return loss, tf.cast(correct, tf.float32)[:, None]

    def trained(self, losses: Any, outputs: Any, targets: Any) -> Any:
        if not self.smoothing:
            return losses
        smoothed = tf.one_hot(targets, self.size, dtype=outputs.dtype) * (1.0 - self.smoothing)
        smoothed += self.smoothing / self.size
        return tf.nn.softmax_cross_entropy_with_logits(smoothed, outputs)

    def regression_targets(self, targets: Any) -> Any:
        return tf.one_hot(targets, self.size) - 1 / self.size

    def weighting(self, settings: TrainingSettings, targets: np.ndarray) -> Weighting:
        if self.smoothing and settings.focal is not None:
            raise SeqzooError(
                f"`focal` must be None with label smoothing, got {settings.focal} and "
                f"{self.smoothing}.",
                field="focal",
            )
        return Weighting.of(settings, self.names, np.bincount(targets, minlength=self.size))

    def weighted(self, losses: Any, outputs: Any, targets: Any, weighting: Weighting) -> Any:
        exact = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, outputs)
        return weighting(losses, exact, targets)

    def decisions(self, outputs: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return outputs, targets

    def measure(self, sums: np.ndarray, weight: float) -> float:
        return float(sums[0] / weight)

    def decode(self, outputs: Any, top: int) -> dict[str, Any]:
        best = tf.math.top_k(tf.nn.softmax(outputs), min(top, self.size))
        labels = tf.gather(tf.constant(self.names), best.indices)
        return {
            "label": labels[:, 0],
            "probability": best.values[:, 0],
            "labels": labels,
            "probabilities": best.values,
        }

    def predictions(self, outputs: np.ndarray, top: int) -> list[Prediction]:
        predictions, decoded = [], self.decode(tf.constant(outputs), top)
        pairs = zip(decoded["labels"].numpy(), decoded["probabilities"].numpy(), strict=True)
        for labels, probabilities in pairs:
            names = [label.decode("utf-8") for label in labels]
            ranked = tuple(zip(names, map(float, probabilities), strict=True))
            predictions.append(Prediction(names[0], names[0], ranked[0][1], ranked))
        return predictions

    def compute_metrics(self, outputs: np.ndarray, targets: np.ndarray) -> dict[str, Any]:
        matrix = confusion_matrix(targets, outputs.argmax(-1), self.size)
        table = class_table(matrix, self.names)
        correct = int(np.trace(matrix))
        present = [row["accuracy"] for row in table if row["examples"]]
        return {
            "accuracy": correct / len(targets),
            "errors": len(targets) - correct,
            "macro_accuracy": float(np.mean(present)),
            "classes": table,
            "confusions": top_confusions(matrix, self.names),
            "confusion": matrix.tolist(),
            "calibration": calibration_of(outputs, targets),
        }

    def to_config(self) -> dict[str, Any]:
        return {"names": self.names}

    @classmethod
    def from_config(cls, template: Any, config: dict[str, Any]) -> "ClassTargets":
        return cls(config["names"], template.label_smoothing)
