"""Metrics of tags: by step, by sequence, and by the entities that they mark."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqzoo.tasks.data.batches import Sequences
from seqzoo.tasks.metrics.calibration import calibration
from seqzoo.tasks.metrics.classification import class_table, confusion_matrix, top_confusions
from seqzoo.tasks.metrics.sequences import span_scores
from seqzoo.tasks.targets.tags import Tags

SAMPLES = 50
"""Number of sequences that are stored with the metrics."""


def tagging_metrics(
    tags: Tags,
    predicted: Sequence[np.ndarray],
    truth: Sequences,
    tokens: Sequence[list[str] | None],
    unknown: np.ndarray | None,
    probabilities: np.ndarray,
) -> dict[str, Any]:
    """Metrics of predictions, with one sequence of ids per example.

    Args:
        tags: the meaning of the ids.
        predicted: predicted ids of each sequence, without padding.
        truth: the true ids.
        tokens: the tokens of the first sequences, for the samples; None for sequences of numbers.
        unknown: whether the word of each step, one sequence after the other, is out of vocabulary;
            None if there are no words.
        probabilities: probabilities of the predicted tags, one sequence after the other.

    Returns:
        "accuracy" and "errors" of steps, "sequence_accuracy" (sequences with all steps correct),
        "macro_accuracy" over tags, "steps"; "classes", "confusions" and "confusion" as for
        classes; for words "unknown_share" and "unknown_accuracy"; for BIO and BIOES "entities", see
        `span_scores`, and the F1 of all of them, "entity_f1"; "calibration" of steps; "samples",
        tokens with their tags.
    """
    flat, names = np.concatenate(list(predicted)), tags.names
    correct = flat == truth.flat
    matrix = confusion_matrix(truth.flat, flat, len(names))
    table = class_table(matrix, names)
    metrics: dict[str, Any] = {
        "accuracy": float(correct.mean()),
        "errors": int((~correct).sum()),
        "sequence_accuracy": float(np.logical_and.reduceat(correct, truth.starts).mean()),
        "macro_accuracy": float(np.mean([row["accuracy"] for row in table if row["examples"]])),
        "steps": len(correct),
    }
    if unknown is not None:
        metrics["unknown_share"] = float(unknown.mean())
        metrics["unknown_accuracy"] = float(correct[unknown].mean()) if unknown.any() else None

    def named(ids: np.ndarray) -> list[str]:
        return [names[tag] for tag in ids]

    if tags.entities:
        true_ids = [truth[index] for index in range(len(truth))]
        entities = span_scores(list(map(named, predicted)), list(map(named, true_ids)))
        metrics |= {"entity_f1": entities["f1"], "entities": entities}
    metrics["classes"] = table
    metrics["confusions"] = top_confusions(matrix, names)
    metrics["confusion"] = matrix.tolist()
    metrics["calibration"] = calibration(probabilities, correct)
    metrics["samples"] = [
        {"tokens": token, "answer": named(predicted[index]), "truth": named(truth[index])}
        for index, token in enumerate(tokens)
    ]
    return metrics
