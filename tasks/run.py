"""A run folder, opened: its model answers, is scored and is exported."""

import contextlib
import os
import pathlib
import shlex
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import seqzoo.cells
from seqzoo.tasks import TEMPLATES
from seqzoo.tasks.base import Answer, Prepared, Template
from seqzoo.tasks.batching import Data, batches, make_plan
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.examples import Examples
from seqzoo.tasks.exporting import export
from seqzoo.tasks.files import creating, read_json, write_json, write_table
from seqzoo.tasks.history import read_history
from seqzoo.tasks.plots import plot_confusion
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.tasks.vocabulary import Vocabulary

FORMAT = 1
"""Of run folders; one that this version cannot read gets a larger number."""

FEW = 256
"""Examples up to which compiling the time loop would take longer than running it as it is."""

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
        padded: the lengths that batches are padded to.
    """

    def __init__(self, folder: pathlib.Path, config: dict[str, Any], prepared: Prepared):
        self.folder = folder
        self.config = config
        self.prepared = prepared
        self.task: Template = _template(config)
        self.settings = TrainingSettings(**config["training"])
        self.source: dict[str, Any] = config["source"]
        self.padded: list[int] = config["padded_lengths"]

    @classmethod
    def open(cls, folder: str | os.PathLike) -> "Run":
        """Opens a run folder.

        Raises:
            SeqzooError: it is none, or of a newer version.
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
        if config["format"] > FORMAT:
            raise SeqzooError(f"{folder} was written by a newer seqzoo; update this one.")
        vocabularies = {
            name: Vocabulary.load(folder / file) for name, file in config["vocabularies"].items()
        }
        prepared = _template(config).restore(config["prepared"], vocabularies)
        return cls(folder, config, prepared)

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
        path = self.folder / MODEL
        if not path.exists():
            raise SeqzooError(
                f"{self.folder} has no model yet, because no epoch has ended; train it with "
                f"seqzoo train --resume --run {shlex.quote(str(self.folder))}"
            )
        try:
            return keras.saving.load_model(path, compile=False)
        except (OSError, ValueError, KeyError) as error:
            reason = str(error).partition("\n")[0]
            raise SeqzooError(f"{path} cannot be read: {reason}") from error

    def predict(self, inputs: Any, *, top: int = 5) -> list[Answer]:
        """Answers raw inputs.

        Args:
            inputs: as `Examples.inputs`.
            top: alternatives an answer has, at most.

        Raises:
            SeqzooError: an input is not as it should be.
        """
        if not len(inputs):
            return []
        outputs = self.outputs(self.prepared.data(Examples(inputs), targets=False))
        decoded = self.prepared.decode(tf.constant(outputs), top)
        return self.prepared.answers({key: value.numpy() for key, value in decoded.items()})

    def evaluate(
        self, examples: Examples, *, folder: str | os.PathLike | None = None
    ) -> dict[str, Any]:
        """Figures of the model on examples with targets.

        Args:
            examples: to score on.
            folder: where to write evaluation.json, per_class.csv and, for classes, confusion.png.

        Returns:
            "examples", "loss" and the figures of the kind of target; fit for JSON.

        Raises:
            SeqzooError: an example is not as it should be, or has a label that training never saw.
        """
        data = self.prepared.data(examples)
        outputs = self.outputs(data)
        losses, _ = self.prepared.objective(tf.constant(outputs), {"targets": data.targets})
        figures = {
            "examples": len(data),
            "loss": float(losses.numpy().astype(np.float64).mean()),
            **self.prepared.figures(outputs, data),
        }
        if folder is not None:
            write_evaluation(pathlib.Path(folder), figures)
        return figures

    def export(self, folder: str | os.PathLike, *, top: int = 5) -> None:
        """Writes a SavedModel that takes raw examples and needs nothing of ours to load.

        Raises:
            SeqzooError: the folder exists, or there is no model yet.
        """
        export(self.prepared, self.model, folder, top)

    def outputs(self, data: Data) -> np.ndarray:
        """The model's outputs for all examples, in their order; shape (n, size), float32."""
        size = min(self.settings.batch_size, len(data))
        plan = make_plan(data.inputs.lengths, self.padded, size)
        forward, collected = self._plain if len(data) <= FEW else self._compiled, []
        for batch in batches(Data(data.inputs), plan):
            collected.append(forward(batch["values"], batch["lengths"]).numpy())
        rows = plan.weights.reshape(-1) > 0
        outputs = np.concatenate(collected)[rows]
        ordered = np.empty_like(outputs)
        ordered[plan.indices.reshape(-1)[rows]] = outputs
        return ordered

    @cached_property
    def _compiled(self) -> Any:
        return self._forward(contextlib.nullcontext)

    @cached_property
    def _plain(self) -> Any:
        return self._forward(seqzoo.cells.portable)

    def _forward(self, context: Any) -> Any:
        model = self.model  # read here: a model that is loaded while tracing stays empty

        def forward(values, lengths):
            with context():
                outputs = model({"values": values, "lengths": lengths}, training=False)
            return tf.cast(outputs, tf.float32)

        shape, dtype = self.prepared.step
        signature = [tf.TensorSpec((None, None, *shape), dtype), tf.TensorSpec((None,), tf.int32)]
        return tf.function(forward, input_signature=signature)


def write_evaluation(folder: pathlib.Path, figures: dict[str, Any]) -> None:
    """Writes figures to a folder, which is made where it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "evaluation.json", figures)
    table: Sequence[dict[str, Any]] = figures.get("classes", ())
    if table:
        write_table(folder / "per_class.csv", table)
    if "confusion" in figures:
        plot_confusion(folder / "confusion.png", figures)


def _template(config: dict[str, Any]) -> Template:
    if config["template"] not in TEMPLATES:
        raise SeqzooError(f"This seqzoo has no template {config['template']!r}; update it.")
    return TEMPLATES[config["template"]].from_config(config["task"])
