"""A run folder, opened: its model answers, is scored and is exported."""

import contextlib
import os
import pathlib
import shlex
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import seqzoo.cells
from seqzoo.tasks import TEMPLATES
from seqzoo.tasks.base import Answer, AnswerOptions, Prepared, Template
from seqzoo.tasks.batching import batches
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.evaluations import write_evaluation
from seqzoo.tasks.examples import Examples
from seqzoo.tasks.exporting import export
from seqzoo.tasks.files import creating, read_json, write_json
from seqzoo.tasks.history import read_history
from seqzoo.tasks.packing import WEIGHTS, unpack
from seqzoo.tasks.plans import Padding
from seqzoo.tasks.sequences import Data
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.tasks.vocabulary import Vocabulary

FORMAT = 1
"""Of run folders; one that this version cannot read gets a larger number."""

FEW = 256
"""Examples up to which compiling the time loop would take longer than running it as it is."""

FEW_BATCHES = 20
"""The same of batches, for examples that are run in many windows."""

CONFIG, HISTORY, MODEL = "config.json", "history.csv", "model.keras"
CHECKPOINTS, LOGS = "checkpoints", "logs"


class Run:
    """A trained model and all that belongs to it.

    Attributes:
        folder: where it lies.
        config: all of config.json.
        task: the template with its choices.
        prepared: the same with what it learnt before training.
        settings: how it was trained.
        source: how to open its data again, as `train` was told.
        padding: the lengths that batches are padded to.
    """

    def __init__(self, folder: pathlib.Path, config: dict[str, Any], prepared: Prepared):
        self.folder = folder
        self.config = config
        # Not typed: each template has more than the contracts say.
        self.prepared: Any = prepared
        self.task: Any = _template(config)
        self.settings = TrainingSettings(**config["training"])
        self.source: dict[str, Any] = config["source"]
        self.padding = Padding(**config["padded_lengths"])
        self._graphs: dict[Any, Callable] = {}

    @classmethod
    def open(cls, folder: str | os.PathLike) -> "Run":
        """Opens a run folder.

        Raises:
            SeqzooError: it is none, damaged, or of a newer version.
        """
        folder = pathlib.Path(folder)
        if not (folder / CONFIG).is_file():
            what = "has no config.json" if folder.is_dir() else "is no folder"
            raise SeqzooError(
                f"{folder} is not a run folder: it {what}; name one that train wrote."
            )
        config = read_json(folder / CONFIG)
        if not isinstance(config, dict) or "template" not in config:
            raise SeqzooError(
                f"{folder} is not a run folder: its config.json is of something else."
            )
        try:
            if config["format"] > FORMAT:
                raise SeqzooError(f"{folder} was written by a newer seqzoo; update this one.")
            sizes = config.get("vocabulary_sizes", {})
            vocabularies = {
                name: Vocabulary.load(folder / file, sizes.get(name))
                for name, file in config["vocabularies"].items()
            }
            prepared = _template(config).restore(config["prepared"], vocabularies)
            return cls(folder, config, prepared)
        except (KeyError, TypeError, AttributeError) as error:
            raise SeqzooError(f"{folder / CONFIG} is damaged: {error!r}.") from error

    @classmethod
    def create(cls, folder: str | os.PathLike, config: dict, prepared: Prepared) -> "Run":
        """Makes a run folder that has no model yet.

        Args:
            folder: it must not hold anything yet.
            config: see `training.describe`.
            prepared: the template.

        Raises:
            SeqzooError: the folder exists, or cannot be made.
        """
        with creating(folder) as temporary:
            for name, vocabulary in prepared.vocabularies.items():
                vocabulary.save(temporary / config["vocabularies"][name])
            write_json(temporary / CONFIG, config)
        return cls(pathlib.Path(folder), config, prepared)

    @property
    def history(self) -> list[dict[str, Any]]:
        """One dictionary an epoch."""
        return read_history(self.folder / HISTORY)

    @cached_property
    def model(self) -> Any:
        """The `keras.Model` of the best epoch.

        Raises:
            SeqzooError: no epoch has ended yet.
        """
        path, packed = self.folder / MODEL, self.folder / WEIGHTS
        if packed.exists():
            model = self.prepared.build("float32")
            unpack(model, packed)
            return model
        if not path.exists():
            raise SeqzooError(
                f"{self.folder} has no model yet, because no epoch has ended; train it with "
                f"seqzoo train --resume --run {shlex.quote(str(self.folder))}"
            )
        if not zipfile.is_zipfile(path):
            raise SeqzooError(f"{path} is damaged, or no model; train it again.")
        try:
            return keras.saving.load_model(path, compile=False)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            reason = str(error).partition("\n")[0]
            raise SeqzooError(f"{path} cannot be read: {reason}") from error

    def predict(self, inputs: Any, options: AnswerOptions | None = None) -> list[Answer]:
        """Answers raw inputs.

        Args:
            inputs: as `Examples.inputs`.
            options: how to ask.

        Raises:
            SeqzooError: an input is not as it should be.
        """
        if isinstance(inputs, str | bytes):
            raise SeqzooError("`inputs` must be a list of inputs, got one text; put it in a list.")
        if not len(inputs):
            return []
        options = options or AnswerOptions()
        data = self.prepared.data(Examples(inputs), targets=False)
        found = self._collect(self.prepared.infer, data, options)
        return self.prepared.answers(found, inputs, options)

    def evaluate(
        self,
        examples: Examples,
        options: AnswerOptions | None = None,
        *,
        folder: str | os.PathLike | None = None,
    ) -> dict[str, Any]:
        """Figures of the model on examples with targets.

        Args:
            examples: to score on.
            options: how to ask.
            folder: where to write evaluation.json and the tables and plots of it.

        Returns:
            "examples", "loss" and the figures of the kind of target; fit for JSON.

        Raises:
            SeqzooError: an example is not as it should be, or has a label that training never saw.
        """
        options = options or AnswerOptions()
        data = self.prepared.data(examples)
        found = self._collect(self.prepared.score, data, options)
        losses, counts = (np.array(found.pop(name), np.float64) for name in ("loss", "count"))
        figures = {
            "examples": len(data),
            "loss": float(losses.sum() / counts.sum()),
            **self.prepared.figures(found, data, examples, options),
        }
        if folder is not None:
            write_evaluation(pathlib.Path(folder), figures)
            self.prepared.illustrate(self.model, examples, found, pathlib.Path(folder), options)
        return figures

    def score(self, texts: Sequence[str]) -> list[float]:
        """How probable a language model finds texts.

        Args:
            texts: whole ones.

        Returns:
            The log-probability of each, in nats: that of all its tokens and of its end, if the
            model knows ends.

        Raises:
            SeqzooError: the model is none of language, or a text is none.
        """
        rate = getattr(self.prepared, "rate", None)
        if rate is None:
            raise SeqzooError(
                f"{self.folder} holds no language model, and cannot tell how probable a text is."
            )
        places = [f"example {index}" for index in range(len(texts))]
        (raw,) = self.prepared.features.raw(texts, places)  # pyright: ignore[reportAttributeAccessIssue]
        if "rate" not in self._graphs:
            model = self.model

            def run(text: Any) -> Any:
                return rate(model, text)["log_probability"]

            spec = tf.TensorSpec([None], tf.string)
            self._graphs["rate"] = tf.function(run, input_signature=[spec], autograph=False)
        size = self.settings.batch_size
        parts = [raw[start : start + size] for start in range(0, len(raw), size)]
        return [
            float(own)
            for part in parts
            for own in self._graphs["rate"](tf.constant(part, tf.string))
        ]

    def export(self, folder: str | os.PathLike, options: AnswerOptions | None = None) -> None:
        """Writes a SavedModel that takes raw examples and needs nothing of ours to load.

        Raises:
            SeqzooError: the folder exists, or there is no model yet.
        """
        export(self.prepared, self.model, folder, options or AnswerOptions())

    def _collect(self, ask: Callable, data: Data, options: AnswerOptions) -> dict[str, list]:
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

    def _compiled(
        self, ask: Callable, spec: dict[str, Any], options: AnswerOptions, *, few: bool
    ) -> Callable:
        """`ask` of the model as a graph, kept for the next call."""
        key = (ask.__name__, tuple(spec), options, few)
        if key not in self._graphs:
            model = self.model  # read here: a model that is loaded while tracing stays empty

            def run(batch: dict[str, Any]) -> dict[str, Any]:
                with seqzoo.cells.portable() if few else contextlib.nullcontext():
                    return ask(model, batch, options)

            free = {name: _free(own) for name, own in spec.items()}
            self._graphs[key] = tf.function(run, input_signature=[free], autograph=False)
        return self._graphs[key]


def _free(spec: Any) -> Any:
    """A spec whose first two axes, rows and time, are free; of carried states, rows alone."""
    if isinstance(spec, tuple):
        return tuple(tf.TensorSpec([None, *own.shape[1:]], own.dtype) for own in spec)
    shape = spec.shape.as_list()
    return tf.TensorSpec([None, None, *shape[2:]][: len(shape)], spec.dtype)


def _template(config: dict[str, Any]) -> Template:
    if config["template"] not in TEMPLATES:
        raise SeqzooError(f"This seqzoo has no template {config['template']!r}; update it.")
    return TEMPLATES[config["template"]].from_config(config["task"])
