"""Templates for kinds of sequence problems, from raw examples to predictions."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from seqzoo.tasks.base import Prediction, PredictionOptions, Task, Template
from seqzoo.tasks.data.examples import Examples, Splits
from seqzoo.tasks.decoding import Decoding
from seqzoo.tasks.errors import Interrupted, SeqzooError
from seqzoo.tasks.fine_tuning.templates import matching_template
from seqzoo.tasks.forecast.template import Forecast
from seqzoo.tasks.many_to_many_aligned.template import ManyToManyAligned
from seqzoo.tasks.many_to_many_encoder_decoder.template import ManyToManyEncoderDecoder
from seqzoo.tasks.many_to_many_unaligned.template import ManyToManyUnaligned
from seqzoo.tasks.many_to_one.template import ManyToOne
from seqzoo.tasks.one_to_many.template import OneToMany
from seqzoo.tasks.settings import TrainingSettings

TEMPLATES: dict[str, type[Template]] = {
    template.name: template
    for template in (
        ManyToOne,
        OneToMany,
        ManyToManyAligned,
        ManyToManyUnaligned,
        ManyToManyEncoderDecoder,
        Forecast,
    )
}

if TYPE_CHECKING:
    from seqzoo.tasks.data.history import History
    from seqzoo.tasks.data.timed_series import TimedSeries
    from seqzoo.tasks.runs.ensemble import Ensemble
    from seqzoo.tasks.runs.run import Run
    from seqzoo.tasks.task_model import keras_model
    from seqzoo.tasks.training.trainer import train

# Importing these loads NumPy or TensorFlow, which takes seconds; listing templates needs neither.
_IMPORTED_ON_FIRST_USE = {
    "Ensemble": "seqzoo.tasks.runs.ensemble",
    "History": "seqzoo.tasks.data.history",
    "TimedSeries": "seqzoo.tasks.data.timed_series",
    "Run": "seqzoo.tasks.runs.run",
    "keras_model": "seqzoo.tasks.task_model",
    "train": "seqzoo.tasks.training.trainer",
}


def __getattr__(name: str) -> Any:
    if name not in _IMPORTED_ON_FIRST_USE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name not in ("History", "TimedSeries"):
        from seqzoo.tasks.startup import start_tensorflow

        start_tensorflow()
    return getattr(import_module(_IMPORTED_ON_FIRST_USE[name]), name)


__all__ = [
    "TEMPLATES",
    "Prediction",
    "PredictionOptions",
    "Decoding",
    "Ensemble",
    "Examples",
    "Forecast",
    "History",
    "Interrupted",
    "ManyToManyAligned",
    "ManyToManyEncoderDecoder",
    "ManyToManyUnaligned",
    "ManyToOne",
    "OneToMany",
    "Run",
    "SeqzooError",
    "Splits",
    "Task",
    "Template",
    "TimedSeries",
    "TrainingSettings",
    "keras_model",
    "matching_template",
    "train",
]
