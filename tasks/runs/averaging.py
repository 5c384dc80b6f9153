"""Adds a linear model to a trained forecaster, with a share chosen on its validation examples."""

import pathlib

import numpy as np

from seqzoo.tasks.atomic_files import replacing
from seqzoo.tasks.base import PredictionOptions
from seqzoo.tasks.data.batches import Data
from seqzoo.tasks.protocols import Averages
from seqzoo.tasks.runs.layout import MODEL
from seqzoo.tasks.runs.predictor import Inference

EQUAL = 0.5
"""The share of the linear model if there are no validation examples to choose it on."""


def average(
    folder: pathlib.Path, inference: Inference, training: Data, validation: Data | None
) -> str:
    """Fits the linear part of a run's model, chooses its share, and saves both with the model, so
    that predictions, evaluations and exports include them. Repeating the call changes nothing.

    Args:
        folder: the run folder.
        inference: the inference of the run's model, whose task must implement `Averages`.
        training: the training examples, which the linear model is fitted to.
        validation: the validation examples, or None for equal shares.

    Returns:
        A sentence about the share.
    """
    task: Averages = inference.task
    part = inference.model.linear
    if not task.fit_linear(inference.model, training):
        return (
            "There are too few training windows for a linear model; the forecasts are those of the "
            "network alone."
        )
    chosen, reason = EQUAL, "there are no validation examples"
    if validation is not None:
        points, truth = [], []
        for share in (0.0, 1.0):
            part.share.assign(share)
            result = inference.collect(task.points_and_truth, validation, PredictionOptions())
            points.append(np.stack(result["points"]))
            truth = result["truth"]
        chosen = best_share(points[0], points[1], np.stack(truth))
        reason = "chosen on the validation examples"
    part.share.assign(chosen)
    with replacing(folder / MODEL) as temporary:
        inference.model.save(temporary)
    return f"The linear model has a share of {chosen:.0%} in the forecasts ({reason})."


def best_share(first: np.ndarray, second: np.ndarray, truth: np.ndarray) -> float:
    """The share of the second of two forecasts in the average with the least squared error, between
    0 and 1; true values that are NaN are left out."""
    is_known = np.isfinite(truth)
    differences = (second - first)[is_known].astype(np.float64)
    errors = (truth - first)[is_known].astype(np.float64)
    size = np.square(differences).sum()
    return float(np.clip((differences * errors).sum() / size, 0, 1)) if size else 0.0
