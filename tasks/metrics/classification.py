"""Metrics for classes and labels that are computed from counts, and tables of these metrics."""

from typing import Any

import numpy as np


def f1(hits: float, predicted: float, actual: float) -> float:
    """Harmonic mean of precision and recall; 0 if both are undefined."""
    return float(2 * hits / (predicted + actual)) if predicted + actual else 0.0


def confusion_matrix(targets: np.ndarray, predictions: np.ndarray, size: int) -> np.ndarray:
    """Counts of shape (size, size), with a row per true class and a column per prediction."""
    pairs = targets.astype(np.int64) * size + predictions
    return np.bincount(pairs, minlength=size * size).reshape(size, size)


def class_table(matrix: np.ndarray, names: list[str]) -> list[dict[str, Any]]:
    """One row per class; undefined metrics are None."""
    table = []
    for index, name in enumerate(names):
        correct = int(matrix[index, index])
        actual, predicted = int(matrix[index].sum()), int(matrix[:, index].sum())
        table.append(
            {
                "label": name,
                "examples": actual,
                "correct": correct,
                "accuracy": correct / actual if actual else None,
                "precision": correct / predicted if predicted else None,
                "f1": f1(correct, predicted, actual),
            }
        )
    return table


def top_confusions(matrix: np.ndarray, names: list[str], limit: int = 50) -> list[dict[str, Any]]:
    """The most frequent wrong predictions, in descending order of frequency."""
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:limit]
    pairs = [divmod(int(index), len(names)) for index in order if wrong.flat[index]]
    return [{"label": names[i], "answered": names[j], "count": int(matrix[i, j])} for i, j in pairs]


def label_table(
    actual: np.ndarray, predicted: np.ndarray, names: list[str]
) -> list[dict[str, Any]]:
    """One row per label, from two boolean arrays (n, labels); undefined metrics are None."""
    table = []
    for index, name in enumerate(names):
        hits = int((actual[:, index] & predicted[:, index]).sum())
        true_count, predicted_count = int(actual[:, index].sum()), int(predicted[:, index].sum())
        table.append(
            {
                "label": name,
                "examples": true_count,
                "correct": hits,
                "recall": hits / true_count if true_count else None,
                "precision": hits / predicted_count if predicted_count else None,
                "f1": f1(hits, predicted_count, true_count),
            }
        )
    return table
