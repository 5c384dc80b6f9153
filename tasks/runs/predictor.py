"""A trained model asked: batches through compiled graphs, answers in the order of the examples."""

import contextlib
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

import seqzoo.cells
from seqzoo.tasks.base import AnswerOptions, Prepared
from seqzoo.tasks.data.batch_plans import Padding
from seqzoo.tasks.data.pipeline import array_batches
from seqzoo.tasks.data.sequences import Data
from seqzoo.tasks.settings import TrainingSettings

FEW = 256
"""Examples up to which compiling the time loop would take longer than running it as it is."""

FEW_BATCHES = 20
"""The same of batches, for examples that are run in many windows."""


class Inference:
    """A model and the graphs that ask it, each traced once and kept.

    Args:
        prepared: the template.
        model: of it.
        settings: how it was trained, for the sizes of batches.
        padding: the lengths that batches are padded to.
    """

    def __init__(
        self, prepared: Prepared, model: Any, settings: TrainingSettings, padding: Padding
    ):
        # Not typed: each template has more than the contracts say.
        self.prepared: Any = prepared
        self.model = model
        self.settings = settings
        self.padding = padding
        self._graphs: dict[Any, Callable] = {}
        self._lock = threading.Lock()  # several threads may ask one run

    def collect(self, ask: Callable, data: Data, options: AnswerOptions) -> dict[str, list]:
        """What `Prepared.infer` or `Prepared.score` says of all examples, in their order; what it
        says of several parts of an example is summed."""
        settings = self.settings
        if data.window is None:
            settings = replace(settings, batch_size=min(settings.batch_size, len(data)))
        plan = self.prepared.plan(data, self.padding, settings)
        few = len(data) <= FEW and len(plan) <= FEW_BATCHES
        carried: tuple = ()
        if data.window is not None:
            carried = tuple(
                tf.zeros([int(plan.bounds[1]), units]) for units in self.prepared.carries
            )
        found: dict[str, list] = {}
        run = None
        # Rows that only fill up are left out where that compiles nothing; those of windows carry
        # states from one batch to the next.
        for batch in array_batches(data, plan, trim=few and data.window is None):
            tensors: dict[str, Any] = {name: tf.constant(own) for name, own in batch.items()}
            if carried:
                tensors["carried"] = carried
            run = run or self._compiled(ask, tensors, options, few=few)
            result = run(tensors)
            carried = result.pop("carried", ())
            real = batch["weights"] > 0
            rows = batch["rows"][real]
            for name, value in result.items():
                place = found.setdefault(name, [None] * len(data))
                for row, own in zip(rows, value.numpy()[real], strict=True):
                    place[row] = own if place[row] is None else place[row] + own
        return found

    def rate(self, texts: np.ndarray) -> list[float]:
        """The log-probability of each text, in nats, by a language model's `rate`."""
        with self._lock:
            if "rate" not in self._graphs:

                def run(text: Any) -> Any:
                    return self.prepared.rate(self.model, text)["log_probability"]

                spec = tf.TensorSpec([None], tf.string)
                self._graphs["rate"] = tf.function(run, input_signature=[spec], autograph=False)
        size = self.settings.batch_size
        parts = [texts[start : start + size] for start in range(0, len(texts), size)]
        return [
            float(own)
            for part in parts
            for own in self._graphs["rate"](tf.constant(part, tf.string))
        ]

    def _compiled(
        self, ask: Callable, batch: dict[str, Any], options: AnswerOptions, *, few: bool
    ) -> Callable:
        """`ask` of the model as a graph for batches like this one, kept for the next call."""
        key = (ask.__name__, tuple(batch), options, few)
        with self._lock:
            if key not in self._graphs:

                def run(batch: dict[str, Any]) -> dict[str, Any]:
                    with seqzoo.cells.portable() if few else contextlib.nullcontext():
                        return ask(self.model, batch, options)

                free = {name: _free(own) for name, own in batch.items()}
                self._graphs[key] = tf.function(run, input_signature=[free], autograph=False)
            return self._graphs[key]


def _free(tensors: Any) -> Any:
    """A spec whose first two axes, rows and time, are free; of carried states, rows alone."""
    if isinstance(tensors, tuple):
        return tuple(tf.TensorSpec([None, *own.shape[1:]], own.dtype) for own in tensors)
    shape = tensors.shape.as_list()
    return tf.TensorSpec([None, None, *shape[2:]][: len(shape)], tensors.dtype)
