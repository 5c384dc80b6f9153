"""Calibration of quantiles on training windows, by models that were trained without them."""

import pathlib
import shutil
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


class FoldProgress:
    """The progress of a fold, without its epochs' rows and its result, which are not the run's.

    Args:
        progress: receives the progress.
    """

    def __init__(self, progress: TrainingProgress):
        self.start, self.note = progress.start, progress.note
        self.epoch, self.step = progress.epoch, progress.step
        self._end = progress.end

    def row(self, row: dict[str, Any]) -> None:
        """Does nothing."""

    def end(self, message: str) -> None:
        """Ends the display of the progress."""
        self._end("")


def correct_across_folds(
    folder: pathlib.Path, inference: Inference, epochs: Epochs, progress: TrainingProgress
) -> None:
    """Calibrates the quantiles of a run's model on its training and validation windows, divided
    into folds: the windows of each are forecast by a model that was trained on those whose
    horizons do not overlap them, up to the best epoch of the run, with the same learning rates but
    without callbacks (cross-conformal prediction; Vovk 2015).

    These models are kept in the run folder until the end, so that an interrupted calibration can be
    resumed. A calibration that is complete is recorded in a file and not repeated, unless the model
    has been trained again since, so that it has no correction.

    Args:
        folder: the run folder.
        inference: the inference of the run's model, whose task must implement `Corrects`.
        epochs: the epochs that the model was trained for.
        progress: receives the progress.

    Raises:
        SeqzooError: see `Corrects.folds`.
        Interrupted: training was stopped by Ctrl-C, after a checkpoint.
    """
    task: Any = inference.task
    if not (folder / CONFORMAL).exists() or not inference.model.correction.numpy().any():
        folds = task.folds(epochs.training, epochs.validation, task.template.conformal_folds)
        settings, padding = inference.settings, inference.padding
        results: list[dict[str, Any]] = []
        for number, (kept, held_out) in enumerate(folds, 1):
            progress.note(
                f"Fold {number} of {len(folds)}: training on {len(kept):,} windows, to calibrate "
                f"quantiles on {len(held_out):,} others."
            )
            keras.utils.set_random_seed(settings.seed)
            others = Epochs(task, settings, padding, kept, None, epochs.loop.strategy)
            place = folder / FOLDS / str(number)
            resume = place.exists()
            if not resume:
                Run.create(place, Run.open(folder).config, task)
            others.run(
                place, FoldProgress(progress), resume=resume, owner=folder, until=epochs.best_epoch
            )
            model = Inference(task, Run.open(place).model, settings, padding)
            if task.template.linear and task.fit_linear(model.model, kept):
                model.model.linear.share.assign(inference.model.linear.share)
            results.append(model.collect(task.uncorrected, held_out, PredictionOptions()))
        correct(folder, inference, results)
        windows = sum(len(held_out) for _, held_out in folds)
        write_json(folder / CONFORMAL, {"folds": len(folds), "windows": windows})
    shutil.rmtree(folder / FOLDS, ignore_errors=True)
