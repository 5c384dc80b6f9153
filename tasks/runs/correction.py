"""Calibrates the quantiles of a trained forecaster on values that it was not trained on."""

import pathlib
from collections.abc import Sequence
from typing import Any

from seqzoo.tasks.atomic_files import replacing
from seqzoo.tasks.protocols import Corrects
from seqzoo.tasks.runs.layout import MODEL
from seqzoo.tasks.runs.predictor import Inference


def correct(
    folder: pathlib.Path, inference: Inference, results: Sequence[dict[str, list[Any]]]
) -> None:
    """Computes the correction of a run's model and saves it with the model, so that predictions,
    evaluations and exports include it. The correction is computed from uncorrected quantiles, so
    repeating the call changes nothing.

    Args:
        folder: the run folder.
        inference: the inference of the run's model, whose task must implement `Corrects`.
        results: the results of `Corrects.uncorrected` for examples that the model that predicted
            them was not trained on.
    """
    task: Corrects = inference.task
    model = inference.model
    joined = {name: [row for result in results for row in result[name]] for name in results[0]}
    model.correction.assign(task.corrections(joined))
    with replacing(folder / MODEL) as temporary:
        model.save(temporary)
