"""Likely causes of a classifier's mistakes: unusual properties of misclassified examples."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqzoo.zoo.data.splits import input_key, letters_of

FEW_OF_CLASS = 10
"""Number of training examples below which a class is rare."""

MANY_UNKNOWN = 0.25
"""Minimum fraction of an input's tokens that must be unknown for them to be a likely cause."""

TAIL = 2.0
"""Percentage of the training examples that count as very short, and also as very long."""

OFTEN = 3
"""Minimum number of times that one class must be predicted for another for the pair to count as
often confused; a tenth of all mistakes if that is more."""

CAUSES = {
    "another label in training": "the training set has the same text, ignoring case, spaces "
    "and punctuation, with the predicted label",
    "rare class": f"the training set has fewer than {FEW_OF_CLASS} examples of the true class",
    "unknown tokens": f"at least {MANY_UNKNOWN:.0%} of the tokens are unknown",
    "very short": f"shorter than all but {TAIL:g}% of the training examples",
    "very long": f"longer than all but {TAIL:g}% of the training examples",
    "confused pair": "the two classes are often confused",
    "other": "nothing stands out",
}
"""The causes, in order: an example is attributed to the first one that applies."""


@dataclass(frozen=True)
class Predictions:
    """Held-out predictions of a classifier, and the examples.

    Attributes:
        names: the names of the classes.
        probabilities: shape (examples, classes).
        truths: indices of the true classes, (examples,).
        inputs: raw inputs.
        lengths: number of steps of each input, (examples,).
        unknown: fraction of unknown tokens in each input, (examples,).
    """

    names: list[str]
    probabilities: np.ndarray
    truths: np.ndarray
    inputs: Any
    lengths: np.ndarray
    unknown: np.ndarray

    @property
    def predicted(self) -> np.ndarray:
        """The index of the most probable class of each example."""
        return self.probabilities.argmax(1)


@dataclass(frozen=True)
class TrainingStatistics:
    """Statistics of the training examples, from which causes are derived.

    Attributes:
        counts: number of examples per class.
        labels: the classes of each input, by key.
        shortest: length below which an input is very short.
        longest: length above which an input is very long.
    """

    counts: Mapping[str, int]
    labels: Mapping[Any, set[str]]
    shortest: float
    longest: float

    @classmethod
    def of(cls, inputs: Any, targets: Sequence[str], lengths: np.ndarray) -> "TrainingStatistics":
        """Computes the statistics from training examples and their lengths in steps."""
        labels: dict[Any, set[str]] = defaultdict(set)
        for value, label in zip(inputs, targets, strict=True):
            labels[_key(value)].add(label)
        low, high = np.percentile(lengths, [TAIL, 100 - TAIL])
        return cls(Counter(targets), labels, float(low), float(high))


def causes_of(
    predictions: Predictions, training: TrainingStatistics | None
) -> dict[str, np.ndarray]:
    """Determines which causes apply to each example, whether or not its prediction is wrong.

    Args:
        predictions: the predictions.
        training: statistics of the training examples; None if they are not known.

    Returns:
        For each cause by name, whether it applies: (examples,), bool.
    """
    count = len(predictions.truths)
    predicted, truths = predictions.predicted.tolist(), predictions.truths.tolist()
    pairs = Counter(
        (truth, prediction)
        for truth, prediction in zip(truths, predicted, strict=True)
        if truth != prediction
    )
    minimum = max(OFTEN, pairs.total() / 10)

    def each(applies: Callable[[int], Any]) -> np.ndarray:
        return np.array([bool(applies(index)) for index in range(count)], bool)

    causes = {
        "unknown tokens": predictions.unknown >= MANY_UNKNOWN,
        "confused pair": each(lambda n: pairs[truths[n], predicted[n]] >= minimum),
    }
    if training is not None:
        names = predictions.names
        causes |= {
            "another label in training": each(
                lambda n: (
                    predicted[n] != truths[n]
                    and names[predicted[n]] in training.labels.get(_key(predictions.inputs[n]), ())
                )
            ),
            "rare class": each(lambda n: training.counts.get(names[truths[n]], 0) < FEW_OF_CLASS),
            "very short": predictions.lengths < training.shortest,
            "very long": predictions.lengths > training.longest,
        }
    explained = np.any(list(causes.values()), 0) if causes else np.zeros(count, bool)
    causes["other"] = ~explained
    return {name: causes[name] for name in CAUSES if name in causes}


def _key(value: Any) -> Any:
    """A key that is equal for inputs that differ only in case, spaces and punctuation."""
    if not isinstance(value, str):
        return input_key(value)
    return letters_of(value) or value
