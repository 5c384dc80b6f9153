"""Temperature scaling: calibrates the probabilities of a trained model on validation examples."""

import hashlib
import math
import pathlib
from typing import Any

import numpy as np

from seqzoo.tasks.atomic_files import read_json, replacing, write_json
from seqzoo.tasks.base import PredictionOptions
from seqzoo.tasks.data.batches import Data
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.metrics.calibration import (
    TEMPERATURES,
    calibration_of,
    cross_entropy,
    fit_temperature,
)
from seqzoo.tasks.protocols import Calibrates
from seqzoo.tasks.runs.layout import CALIBRATION, MODEL
from seqzoo.tasks.runs.predictor import Inference


def check_calibrates(task: Any, validation: Data | None) -> None:
    """Checks that a task can be calibrated.

    Raises:
        SeqzooError: the task has no class probabilities, or there are no validation examples.
    """
    template = task.template
    if not isinstance(task, Calibrates) or task.calibrated_layer is None:
        crf = " without `crf`" if getattr(template, "crf", False) else ""
        raise SeqzooError(
            f"`calibrate` is for the targets 'class', 'labels' and 'tags'{crf}, got target "
            f"{template.target!r}.",
            field="calibrate",
        )
    if validation is None:
        raise SeqzooError(
            "`calibrate` needs validation examples to fit the temperature on, but there are none; "
            "set --validation.",
            field="calibrate",
        )


def collect_logits(inference: Inference, data: Data) -> tuple[np.ndarray, np.ndarray]:
    """The logits of all predictions, (n, classes), and the indices of the true classes, (n,)."""
    task = inference.task
    results = inference.collect(task.class_logits, data, PredictionOptions())
    return task.decisions(results, data)


def calibrate(folder: pathlib.Path, inference: Inference, validation: Data) -> str:
    """Calibrates the model of a run by dividing the weights of the layer that computes logits by
    the temperature with the lowest cross-entropy on validation examples, so that the model and its
    exports have calibrated probabilities. Writes the temperature, with the metrics before and after
    calibration, to calibration.json. A model that is already calibrated is not calibrated again,
    even if an earlier process was killed before it finished.

    Args:
        folder: the run folder.
        inference: the inference of the run's model.
        validation: the validation examples.

    Returns:
        A remark if the best temperature is outside the search range; otherwise "".
    """
    path = folder / MODEL
    if (folder / CALIBRATION).exists():
        if _stored(folder, "model") == _digest(path):
            return ""
    logits, targets = collect_logits(inference, validation)
    temperature = fit_temperature(logits, targets)
    layer = inference.model.get_layer(inference.task.calibrated_layer)
    for weight in layer.weights:
        weight.assign(weight / temperature)
    with replacing(path) as temporary:
        inference.model.save(temporary)
        metrics = {
            "temperature": temperature,
            "model": _digest(pathlib.Path(temporary)),
            "before": _metrics(logits, targets),
            "after": _metrics(logits / temperature, targets),
        }
        # Written before the model is put in place, so that it is never calibrated twice.
        write_json(folder / CALIBRATION, metrics)
    return remark(temperature)


def remark(temperature: float) -> str:
    """A sentence about a temperature that is at the limit of the search range; otherwise ""."""
    lowest, highest = TEMPERATURES
    if math.isclose(temperature, lowest):
        reason = "the model makes too few errors on the validation examples to be calibrated"
    elif math.isclose(temperature, highest):
        reason = "the outputs of the model say nothing about the classes of the validation examples"
    else:
        return ""
    return (
        f"Calibration: the temperature, {temperature:g}, is at the limit of the search range "
        f"({lowest:g} to {highest:,.0f}), because {reason}."
    )


def stored_temperature(folder: pathlib.Path) -> float | None:
    """The temperature of a run; None if it was not calibrated.

    Raises:
        SeqzooError: calibration.json is damaged.
    """
    if not (folder / CALIBRATION).exists():
        return None
    temperature = _stored(folder, "temperature")
    if not isinstance(temperature, int | float) or not temperature > 0:
        raise SeqzooError(
            f"{folder / CALIBRATION} is damaged: the temperature must be above 0, got "
            f"{temperature!r}."
        )
    return temperature


def _stored(folder: pathlib.Path, name: str) -> Any:
    """An entry of a run's calibration.json.

    Raises:
        SeqzooError: the file is damaged.
    """
    path = folder / CALIBRATION
    try:
        return read_json(path)[name]
    except (KeyError, TypeError) as error:
        raise SeqzooError(f"{path} is damaged: {error!r}.") from error


def _metrics(logits: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    error = calibration_of(logits, targets)["error"]
    return {"loss": cross_entropy(logits, targets), "calibration_error": error}


def _digest(path: pathlib.Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
