"""Calibration of probabilities: how far they are from the accuracy of the predictions."""

from typing import Any

import numpy as np

CALIBRATION_BINS = 15
"""Number of bins of equal width for probabilities."""

TEMPERATURES = (0.05, 1000.0)
"""Lowest and highest temperatures that are fitted."""


def calibration(probabilities: np.ndarray, correct: np.ndarray) -> dict[str, Any]:
    """The expected calibration error and the table of a reliability diagram.

    The error is the mean absolute difference between accuracy and mean probability in 15 bins of
    equal width, weighted by their number of predictions (Guo et al. 2017, section 2).

    Args:
        probabilities: the probabilities of the predictions, (n,).
        correct: whether each prediction is correct, (n,).

    Returns:
        "error", and "reliability": for each non-empty bin, its bounds "from" and "to", the number
        of "predictions", their mean "probability" and their "accuracy".
    """
    probabilities = np.asarray(probabilities, np.float64)
    correct = np.asarray(correct, np.float64)
    bins = np.minimum((probabilities * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    error, rows = 0.0, []
    for bin_ in np.unique(bins):
        inside = bins == bin_
        probability, accuracy = probabilities[inside].mean(), correct[inside].mean()
        error += inside.mean() * abs(probability - accuracy)
        rows.append(
            {
                "from": float(bin_ / CALIBRATION_BINS),
                "to": float((bin_ + 1) / CALIBRATION_BINS),
                "predictions": int(inside.sum()),
                "probability": float(probability),
                "accuracy": float(accuracy),
            }
        )
    return {"error": float(error), "reliability": rows}


def calibration_of(logits: np.ndarray, targets: np.ndarray) -> dict[str, Any]:
    """`calibration` of the most probable classes.

    Args:
        logits: (n, classes).
        targets: indices of the true classes, (n,).
    """
    best = logits.argmax(-1)
    probabilities = np.exp(_log_softmax(logits))[np.arange(len(best)), best]
    return calibration(probabilities, best == targets)


def cross_entropy(logits: np.ndarray, targets: np.ndarray) -> float:
    """The mean negative log-probability of the true classes, in nats."""
    return float(-_log_softmax(logits)[np.arange(len(targets)), targets].mean())


def fit_temperature(logits: np.ndarray, targets: np.ndarray) -> float:
    """Fits the temperature: the divisor of the logits that minimises the cross-entropy (Guo et al.
    2017, section 4.2).

    The cross-entropy is convex in the inverse of the temperature, so the zero of its derivative is
    found by bisection. The temperature is limited to `TEMPERATURES`: if all predictions are
    correct, a lower one is always better, and if the logits are uninformative, a higher one is.

    Args:
        logits: (n, classes).
        targets: indices of the true classes, (n,).
    """
    logits = np.asarray(logits, np.float64)
    true_logit = logits[np.arange(len(targets)), targets].mean()

    def slope(inverse: float) -> float:
        probabilities = np.exp(_log_softmax(logits * inverse))
        return float((probabilities * logits).sum(-1).mean() - true_logit)

    low, high = 1 / TEMPERATURES[1], 1 / TEMPERATURES[0]
    if slope(high) <= 0:
        return 1 / high
    if slope(low) >= 0:
        return 1 / low
    for _ in range(50):
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if slope(middle) > 0 else (middle, high)
    return float(1 / np.sqrt(low * high))


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = np.asarray(logits, np.float64)
    shifted = shifted - shifted.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
