"""Calibrates the quantiles of a trained forecaster on its validation examples."""

import pathlib

from seqzoo.tasks.atomic_files import replacing
from seqzoo.tasks.base import PredictionOptions
from seqzoo.tasks.data.batches import Data
from seqzoo.tasks.protocols import Corrects
from seqzoo.tasks.runs.layout import MODEL
from seqzoo.tasks.runs.predictor import Inference


def correct(folder: pathlib.Path, inference: Inference, validation: Data) -> None:
    """Computes the correction of a run's model and saves it with the model, so that predictions,
    evaluations and exports include it. The correction is computed from uncorrected quantiles, so
    repeating the call changes nothing.

    Args:
        folder: the run folder.
        inference: the inference of the run's model, whose task must implement `Corrects`.
        validation: the validation examples.
    """
    task: Corrects = inference.task
    model = inference.model
    result = inference.collect(task.uncorrected, validation, PredictionOptions())
    model.correction.assign(task.corrections(result))
    with replacing(folder / MODEL) as temporary:
        model.save(temporary)
