"""A trained model asked: batches through compiled graphs, answers in the order of the examples."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

import seqzoo.cells
from seqzoo.tasks.base import AnswerOptions, Prepared
from seqzoo.tasks.data.batch_plans import Padding
from seqzoo.tasks.data.pipeline import batches
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

    def collect(self, ask: Callable, data: Data, options: AnswerOptions) -> dict[str, list]:
        """What `Prepared.infer` or `Prepared.score` says of all examples, in their order; what it
        says of several parts of an example is summed."""
        settings = self.settings
        if data.window is None:
            settings = replace(settings, batch_size=min(settings.batch_size, len(data)))
        plan = self.prepared.plan(data, self.padding, settings)
        carried: tuple = ()
        if data.window is not None:
            carried = tuple(tf.zeros([plan.size, units]) for units in self.prepared.carries)
        found: dict[str, list] = {}
        at = 0
        dataset = batches(data, plan)
        spec = dataset.element_spec
        if carried:
            spec = spec | {"carried": tuple(tf.TensorSpec(own.shape, own.dtype) for own in carried)}
        few = len(data) <= FEW and len(plan) <= FEW_BATCHES
        run = self._compiled(ask, spec, options, few=few)
        for batch in dataset:
            result = run(batch | {"carried": carried} if carried else batch)
            carried = result.pop("carried", ())
            rows = plan.rows[at : at + len(batch["weights"])]
            real = plan.weights[at : at + len(rows)] > 0
            at += len(rows)
            for name, value in result.items():
                place = found.setdefault(name, [None] * len(data))
                for row, own in zip(rows[real], value.numpy()[real], strict=True):
                    place[row] = own if place[row] is None else place[row] + own
        return found

    def rate(self, texts: np.ndarray) -> list[float]:
        """The log-probability of each text, in nats, by a language model's `rate`."""
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
        self, ask: Callable, spec: dict[str, Any], options: AnswerOptions, *, few: bool
    ) -> Callable:
        """`ask` of the model as a graph, kept for the next call."""
        key = (ask.__name__, tuple(spec), options, few)
        if key not in self._graphs:

            def run(batch: dict[str, Any]) -> dict[str, Any]:
                with seqzoo.cells.portable() if few else contextlib.nullcontext():
                    return ask(self.model, batch, options)

            free = {name: _free(own) for name, own in spec.items()}
            self._graphs[key] = tf.function(run, input_signature=[free], autograph=False)
        return self._graphs[key]


def _free(spec: Any) -> Any:
    """A spec whose first two axes, rows and time, are free; of carried states, rows alone."""
    if isinstance(spec, tuple):
        return tuple(tf.TensorSpec([None, *own.shape[1:]], own.dtype) for own in spec)
    shape = spec.shape.as_list()
    return tf.TensorSpec([None, None, *shape[2:]][: len(shape)], spec.dtype)
