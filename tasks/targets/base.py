"""The contract of targets: loss, metric and predictions of one target type."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from seqzoo.tasks.base import Prediction
from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.errors import SeqzooError, some_of
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.tasks.targets.weighting import Weighting
from seqzoo.tasks.wording import counted


class Targets(ABC):
    """A target type; `outputs` are those of a model, shape (batch, `size`), float32.

    Attributes:
        metric: name of the metric that is reported next to the loss.
        better: 1 if a larger metric is better, -1 if a smaller one is.
        sums: number of terms of the metric.
        logits: whether outputs are log-odds, whose scale expresses the model's confidence.
        weighs: whether losses can be weighted by class or by the model's confidence.
    """

    metric = ""
    better = 1
    sums = 1
    logits = True
    weighs = False

    @classmethod
    @abstractmethod
    def learn(cls, template: Any, examples: Examples) -> "Targets":
        """Makes targets, with what they learn from the training examples.

        Raises:
            SeqzooError: there are no targets, or they are not of this type.
        """

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of outputs of the model."""

    @abstractmethod
    def encode(self, examples: Examples) -> np.ndarray:
        """Encodes targets, shape (n, ...).

        Raises:
            SeqzooError: a target is missing or of the wrong type; the message names its location.
        """

    @abstractmethod
    def objective(self, outputs: Any, targets: Any) -> tuple[Any, Any]:
        """Loss of each example, shape (batch,), and the terms of the metric, summed over examples:
        shape (batch, `sums`)."""

    def trained(self, losses: Any, outputs: Any, targets: Any) -> Any:
        """The losses that training minimises instead of those of `objective`, (batch,); they differ
        with label smoothing."""
        del outputs, targets
        return losses

    def weighting(self, settings: TrainingSettings, targets: np.ndarray) -> Weighting:
        """The loss weights that the training settings ask for; only if `weighs`.

        Args:
            settings: the training settings.
            targets: the targets of the training examples, encoded.

        Raises:
            SeqzooError: the settings do not fit the targets.
        """
        raise NotImplementedError

    def weighted(self, losses: Any, outputs: Any, targets: Any, weighting: Weighting) -> Any:
        """The losses of `trained`, weighted, (batch,); only if `weighs`."""
        raise NotImplementedError

    def decisions(self, outputs: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Encoded targets as choices of one class each: logits (n, classes), and the indices of the
        true classes, (n,); only if `logits`."""
        raise NotImplementedError

    @abstractmethod
    def regression_targets(self, targets: Any) -> Any:
        """Values that a readout is fitted to by least squares, (batch, `size`). Their conditional
        means lead to the same decisions as the outputs; with log-odds, the decision is the sign or
        the largest output."""

    @abstractmethod
    def measure(self, sums: np.ndarray, weight: float) -> float:
        """The metric from the sums over `weight` examples."""

    @abstractmethod
    def decode(self, outputs: Any, top: int) -> dict[str, Any]:
        """Predictions as tensors, with TensorFlow operations only, as an exported model returns
        them.

        Args:
            outputs: the outputs of the model.
            top: maximum number of ranked classes per example; ignored by other targets.
        """

    @abstractmethod
    def predictions(self, outputs: np.ndarray, top: int) -> list[Prediction]:
        """Predictions from outputs; `top` as in `decode`."""

    @abstractmethod
    def compute_metrics(self, outputs: np.ndarray, targets: np.ndarray) -> dict[str, Any]:
        """The metrics of an evaluation, JSON-serialisable, without the loss and the count."""

    @abstractmethod
    def to_config(self) -> dict[str, Any]:
        """The learned state, JSON-serialisable."""

    @classmethod
    @abstractmethod
    def from_config(cls, template: Any, config: dict[str, Any]) -> "Targets":
        """The inverse of `to_config`."""


def required(examples: Examples) -> Any:
    """The targets of examples.

    Raises:
        SeqzooError: there are no targets.
    """
    if examples.targets is None:
        raise SeqzooError("Training and evaluation need targets, but the examples have none.")
    if len(examples.targets) != len(examples):
        raise SeqzooError(
            f"There must be one target per input, got "
            f"{counted(len(examples), 'input')} and {counted(len(examples.targets), 'target')}."
        )
    return examples.targets


def class_name(label: Any) -> Any:
    """A class as text: whole numbers and booleans are written as in JSON and in files; others are
    returned unchanged."""
    if isinstance(label, bool | np.bool_):
        return "true" if label else "false"
    return str(int(label)) if isinstance(label, int | np.integer) else label


def unseen(label: str, location: str, labels: list[str], hint: str) -> SeqzooError:
    """The error for a label that did not occur in training."""
    return SeqzooError(
        f"{location} has the label {label!r}, which no training example has (their labels are "
        f"{some_of(labels)}){hint}",
        location=location,
    )


def sort_labels(labels: Any) -> list[str]:
    """Sorts labels: numerically if all are whole numbers, otherwise alphabetically."""
    labels = sorted(labels)
    if all(label.isdecimal() for label in labels):
        labels.sort(key=int)
    return labels
