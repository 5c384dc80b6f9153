"""Calibration of quantiles on training windows, by models that were trained without them."""

import pathlib
import shutil
from dataclasses import replace
from typing import Any

import keras

from seqzoo.tasks.atomic_files import write_json
from seqzoo.tasks.base import PredictionOptions
from seqzoo.tasks.runs.correction import correct
from seqzoo.tasks.runs.layout import CONFORMAL, FOLDS
from seqzoo.tasks.runs.predictor import Inference
from seqzoo.tasks.runs.run import Run
from seqzoo.tasks.training.epochs import Epochs
from seqzoo.tasks.training.progress import TrainingProgress


def correct_across_folds(
    folder: pathlib.Path, inference: Inference, epochs: Epochs, progress: TrainingProgress
) -> None:
    """Calibrates the quantiles of a run's model on its training and validation windows, divided
    into folds: the windows of each are forecast by a model that was trained on those whose
    horizons do not overlap them, for as many epochs as the run's model (cross-conformal prediction;
    Vovk 2015).

    These models are kept in the run folder until the end, so that an interrupted calibration can be
    resumed. A calibration that is complete is recorded in a file and not repeated.

    Args:
        folder: the run folder.
        inference: the inference of the run's model, whose task must implement `Corrects`.
        epochs: the epochs that the model was trained for.
        progress: receives the progress.
    """
    task: Any = inference.task
    if not (folder / CONFORMAL).exists():
        folds = task.folds(epochs.training, epochs.validation, task.template.conformal_folds)
        settings = replace(inference.settings, epochs=epochs.best_epoch)
        results: list[dict[str, Any]] = []
        for number, (kept, held_out) in enumerate(folds, 1):
            progress.note(
                f"Fold {number} of {len(folds)}: training on {len(kept):,} windows, to calibrate "
                f"quantiles on {len(held_out):,} others."
            )
            keras.utils.set_random_seed(settings.seed)
            others = Epochs(task, settings, inference.padding, kept, None, epochs.loop.strategy)
            place = folder / FOLDS / str(number)
            resume = place.exists()
            if not resume:
                Run.create(place, Run.open(folder).config, task)
            others.run(place, progress, resume=resume, owner=folder)
            model = Inference(task, Run.open(place).model, settings, inference.padding)
            if task.template.linear:
                task.fit_linear(model.model, kept)
                model.model.linear.share.assign(inference.model.linear.share)
            results.append(model.collect(task.uncorrected, held_out, PredictionOptions()))
        correct(folder, inference, results)
        windows = sum(len(held_out) for _, held_out in folds)
        write_json(folder / CONFORMAL, {"folds": len(folds), "windows": windows})
    shutil.rmtree(folder / FOLDS, ignore_errors=True)
