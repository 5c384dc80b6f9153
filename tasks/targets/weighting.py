"""Loss weights in training: by class, by the model's confidence, and by example."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf

from seqzoo.tasks.data.batches import Data
from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.errors import SeqzooError, nearest, some_of
from seqzoo.tasks.settings import TrainingSettings


@dataclass(frozen=True)
class Weighting:
    """The weights of the predictions' losses in training.

    Attributes:
        classes: weight of each class, in the order of the outputs; their mean over the training
            predictions is 1. None for equal weights.
        focal: the exponent of 1 - p in the focal loss, where p is the probability of the true class
            (Lin et al. 2017, section 3). None for cross-entropy.
    """

    classes: tuple[float, ...] | None = None
    focal: float | None = None

    @classmethod
    def of(
        cls, settings: TrainingSettings, names: Sequence[str], counts: np.ndarray
    ) -> "Weighting":
        """Makes the weighting that the training settings ask for.

        Args:
            settings: the training settings.
            names: the names of the classes, in the order of the outputs.
            counts: how often each class is a target in training.

        Raises:
            SeqzooError: a weight is for a class that does not exist.
        """
        chosen = settings.class_weight
        if chosen is None:
            return cls(None, settings.focal)
        if isinstance(chosen, Mapping):
            for name in chosen:
                if name not in names:
                    raise SeqzooError(
                        f"`class_weight` must name classes ({some_of(names)}), got {name!r}"
                        f"{nearest(name, names)}",
                        field="class_weight",
                        got=name,
                    )
            weights = np.array([chosen.get(name, 1.0) for name in names])
        else:
            # A class without examples, in data other than those it was learned from, has no effect.
            weights = counts.sum() / (len(names) * np.maximum(counts, 1))
        weights = weights * counts.sum() / (weights * counts).sum()
        return cls(tuple(weights.tolist()), settings.focal)

    def __call__(self, losses: Any, exact: Any, targets: Any) -> Any:
        """Weights the losses of predictions of one class each.

        Args:
            losses: the losses of the predictions, (...).
            exact: the negative log-probability of the true class, (...).
            targets: indices of the true classes, (...).
        """
        if self.focal is not None:
            losses = losses * focal_weight(exact, self.focal)
        if self.classes is not None:
            losses = losses * tf.gather(tf.constant(self.classes, losses.dtype), targets)
        return losses

    def adjust(self, scores: Any) -> Any:
        """The scores to train with if a loss is that of several classes jointly.

        The log weight of each class is subtracted from its score in training alone, so the trained
        scores of a class are higher by as much: its predictions have its weight in their odds. For
        one softmax, this has the same optimum as weighted losses.

        Source: Menon et al. 2021, "Long-tail learning via logit adjustment", section 5.2.

        Args:
            scores: the scores of the classes, (..., classes).
        """
        return scores - tf.math.log(tf.constant(self.classes, scores.dtype))


def focal_weight(exact: Any, focal: float) -> Any:
    """(1 - p) ** focal, from `exact` = -log p."""
    # With an exponent below 1, the gradient at 0 is infinite.
    return tf.maximum(-tf.math.expm1(-exact), 1e-7) ** focal


def refuse(settings: TrainingSettings, expected: str, names: Sequence[str]) -> None:
    """Checks that some settings are not set.

    Args:
        settings: the training settings.
        expected: the targets that these settings are for.
        names: the names of the settings that are not supported.

    Raises:
        SeqzooError: one of them is set.
    """
    for name in names:
        value = getattr(settings, name)
        if value is not None and value is not False:
            raise SeqzooError(f"`{name}` is for {expected}; leave it out.", field=name)


def weigh_examples(data: Data, examples: Examples) -> Data:
    """Adds the weights of the examples to data, scaled so that their mean is 1.

    Raises:
        SeqzooError: a weight is negative or not finite, all are zero, or there is not one per
            example.
    """
    if len(examples.weights) == len(examples) != len(data):
        # Texts of `whole` are one sequence; histories are cut into windows.
        change = "joined into" if len(data) < len(examples) else "cut into"
        raise SeqzooError(
            f"`weight_column` is for weights of examples, but the {len(examples):,} training "
            f"examples are {change} {len(data):,}; leave it out.",
            field="weight_column",
        )
    if len(examples.weights) != len(data):
        raise SeqzooError(
            f"There must be one weight per example, got {len(examples.weights)} weights for "
            f"{len(data)} examples."
        )
    weights = []
    for index, weight in enumerate(examples.weights):
        try:
            number = float(weight)
        except (TypeError, ValueError):
            number = math.nan
        if not 0 <= number < math.inf:
            location = examples.location(index)
            raise SeqzooError(
                f"The weight of {location} must be at least 0 and finite, got {weight!r}.",
                location=location,
            )
        weights.append(number)
    if not any(weights):
        raise SeqzooError("The weights of all training examples are 0; nothing would be learned.")
    importance = np.array(weights) / np.mean(weights)
    return replace(data, importance=importance.astype(np.float32))
