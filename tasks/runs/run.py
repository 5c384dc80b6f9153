"""An opened run folder: predicts with its model, evaluates it and exports it."""

import os
import pathlib
import shlex
import zipfile
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import keras
import numpy as np

from seqzoo.cells.private_keras import initialized_with_zeros
from seqzoo.tasks import TEMPLATES
from seqzoo.tasks.atomic_files import creating, read_json, write_json
from seqzoo.tasks.base import Prediction, PredictionOptions, Task, Template
from seqzoo.tasks.data.batches import Padding
from seqzoo.tasks.data.examples import Examples, is_list, listed
from seqzoo.tasks.errors import SeqzooError, check_instance, check_readable, command
from seqzoo.tasks.export.formats import Export, export
from seqzoo.tasks.metrics.calibration import calibration_of
from seqzoo.tasks.preprocessing.vocabulary import Vocabulary
from seqzoo.tasks.protocols import ScoresTexts, StreamsText
from seqzoo.tasks.runs.compact_weights import DIGEST, check_counts, unpack
from seqzoo.tasks.runs.evaluation_files import write_evaluation
from seqzoo.tasks.runs.layout import CONFIG, HISTORY, MODEL, WEIGHTS, advice_on, is_run
from seqzoo.tasks.runs.model_file import RESTORE, check_model_file
from seqzoo.tasks.runs.predictor import Inference, checked_options
from seqzoo.tasks.runs.session import Session, Stepper
from seqzoo.tasks.runs.stored_config import SHAPES, check_learned, check_model
from seqzoo.tasks.runs.temperature import collect_logits, stored_temperature
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.tasks.startup import start_devices
from seqzoo.tasks.training.history import read_history

FORMAT = 2
"""Version of the format of run folders; increased when older versions of seqzoo cannot read new
folders."""

LEARNED = "prepared"
"""Key in config.json for the result of `Task.to_config`."""


class Run:
    """A trained model with its settings, vocabularies and history.

    A copy of a run, and a run that was pickled, opens the folder again, which must still be there.

    Attributes:
        config: the contents of config.json.
        template: the template with its options.
        task: the template with what it learned from examples before training.
        settings: the training settings.
        source: how to open the data again, as passed to `train`.
        padding: the lengths that batches are padded to.
        untraced_steps: number of time steps up to which a few inputs are predicted without tracing
            a graph, for a process that predicts only once; must be set before the first
            prediction.
    """

    untraced_steps = 0

    def __init__(self, folder: pathlib.Path, config: dict[str, Any], task: Task):
        self._folder, self._absolute = folder, folder.absolute()
        self.config = config
        # Not typed, because tasks have more methods than the contract.
        self.task: Any = task
        self.template: Any = _template(config)
        self.settings = TrainingSettings(**config["training"])
        self.source: dict[str, Any] = config["source"]
        self.padding = Padding(**config["padded_lengths"])

    def __reduce__(self) -> tuple[Any, ...]:
        # Graphs and lookup tables can be neither copied nor pickled.
        return type(self).open, (self._absolute,)

    @property
    def folder(self) -> pathlib.Path:
        """The run folder: the path that was given, or its absolute path if the working directory
        has changed since."""
        try:
            same = self._folder.absolute() == self._absolute
        except FileNotFoundError:  # the working directory was removed
            same = False
        return self._folder if same else self._absolute

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> "Run":
        """Opens a run folder.

        Raises:
            SeqzooError: the folder is not a run folder, is damaged, or was written by a newer
                version.
        """
        check_instance("folder", folder, (str, os.PathLike), "the path of a run folder")
        folder = pathlib.Path(folder)
        if not is_run(folder):
            reason = f"has no {CONFIG}" if folder.is_dir() else "is not a folder"
            raise SeqzooError(f"{folder} is not a run folder: it {reason}; {advice_on(folder)}.")
        config = read_json(folder / CONFIG)
        if not isinstance(config, dict) or "template" not in config:
            raise SeqzooError(f"{folder} is not a run folder: its {CONFIG} is not that of a run.")
        try:
            if config["format"] > FORMAT:
                raise SeqzooError(
                    f"{folder} was written by a newer version of seqzoo; update seqzoo."
                )
            sizes = config.get("vocabulary_sizes", {})
            digests = config.get("vocabulary_digests", {})
            for name in config["vocabularies"].values():
                # A run from elsewhere must not name files outside its folder.
                if pathlib.Path(name).name != name or name in ("", ".."):
                    raise SeqzooError(
                        f"{folder / CONFIG} must name vocabularies in its own folder, got {name!r}."
                    )
            vocabularies = {
                name: Vocabulary.load(folder / file, sizes.get(name), digests.get(name))
                for name, file in config["vocabularies"].items()
            }
            check_learned(config[LEARNED])
            task = _template(config).restore(config[LEARNED], vocabularies)
            return cls(folder, config, task)
        except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
            reason = str(error) if isinstance(error, ValueError) else repr(error)
            raise SeqzooError(f"{folder / CONFIG} is damaged: {_first_line(reason)}.") from error

    @classmethod
    def create(cls, folder: str | os.PathLike[str], config: dict, task: Task) -> "Run":
        """Makes a run folder that has no model yet.

        Args:
            folder: the folder to create, which must not have any contents.
            config: the contents of config.json.
            task: a template adapted to its training examples.

        Raises:
            SeqzooError: the folder exists and is not empty, or cannot be created.
        """
        with creating(folder) as temporary:
            for name, vocabulary in task.vocabularies.items():
                vocabulary.save(temporary / config["vocabularies"][name])
            write_json(temporary / CONFIG, config)
        return cls(pathlib.Path(folder), config, task)

    @property
    def history(self) -> list[dict[str, Any]]:
        """The training history, one dictionary per epoch."""
        return read_history(self.folder / HISTORY)

    @cached_property
    def model(self) -> Any:
        """The `keras.Model` of the best epoch.

        Raises:
            SeqzooError: no epoch has ended yet, or the file of the model is missing, damaged or
                belongs to another run.
        """
        start_devices()
        path, packed = self.folder / MODEL, self.folder / WEIGHTS
        if packed.exists():
            check_readable(packed)
            try:
                check_counts(packed, vars(self.template))
                with initialized_with_zeros():
                    model = self.task.build("float32")
            except (TypeError, ValueError) as error:
                reason = str(error).partition("\n")[0]
                raise SeqzooError(f"{self.folder / CONFIG} is damaged: {reason}") from error
            unpack(model, packed, self.config.get(DIGEST))
            return model
        if DIGEST in self.config:
            raise SeqzooError(f"{packed} is missing; copy all files of the packed run.")
        if not path.exists() and not self.history:
            resume = command(f"train --resume --run {shlex.quote(str(self.folder))}")
            raise SeqzooError(
                f"{self.folder} has no model yet, because no epoch has ended; train it with "
                f"{resume}"
            )
        check_model_file(path)
        try:
            model = keras.saving.load_model(path, compile=False, safe_mode=True)
        except (
            *(OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError),
            *(zipfile.BadZipFile, EOFError, ImportError),
        ) as error:
            reason = _first_line(str(error))
            raise SeqzooError(f"{path} cannot be read: {reason}; {RESTORE}.") from error
        try:
            check_model(self.task, model, self.config.get(SHAPES))
        except ValueError as error:
            raise SeqzooError(
                f"{path} is not the model that {self.folder / CONFIG} describes: {error}; copy the "
                "files of one run, or train a new run."
            ) from error
        return model

    @cached_property
    def _inference(self) -> Inference:
        return Inference(self.task, self.model, self.settings, self.padding, self.untraced_steps)

    def checked_options(self, options: PredictionOptions | None) -> PredictionOptions:
        """The options of predictions; the default options of the task if `options` is None.

        Raises:
            SeqzooError: the options are of the wrong type.
        """
        return checked_options(self.task, options)

    def predict(
        self,
        inputs: Any,
        options: PredictionOptions | None = None,
        *,
        lines: Sequence[int] | None = None,
        unit: str = "line",
    ) -> list[Prediction]:
        """Makes predictions for raw inputs.

        Args:
            inputs: the inputs, as in `Examples.inputs`, such as a list of strings or a column of a
                data frame; or a dict of columns for a model with several inputs. For a word
                tagger, strings are raw sentences, which are split into words like the training
                data; sequences of words are not split.
            options: the options of the predictions.
            lines: the line number of each input in its file, counted from 1, for error messages;
                None if there is no file.
            unit: the unit of `lines`: "line", or "row" of an array.

        Raises:
            SeqzooError: an input is empty, not finite or of the wrong shape.
        """
        check_list(inputs)
        if not len(inputs):
            return []
        options = self.checked_options(options)
        examples = Examples(inputs, lines=lines, unit=unit)
        data = self.task.encode(examples, targets=False)
        results = self._inference.collect(self.task.infer, data, options)
        return self.task.predictions(results, examples.inputs, options)

    def attention(self, inputs: Any, options: PredictionOptions | None = None) -> list[Any]:
        """The attention of the model over its inputs while it generates texts.

        Args:
            inputs: see `predict`.
            options: the options of the predictions.

        Returns:
            An `AttentionMap` for each input: its `source` steps, the generated `tokens`, and the
            attention `weights`, (tokens, steps).

        Raises:
            SeqzooError: the model has no attention, or an input is not valid.
        """
        from seqzoo.tasks.inspection.attention import attention_of

        check_list(inputs)
        examples = Examples(inputs)
        return attention_of(self, examples.inputs, options) if len(examples) else []

    def stream(
        self, value: Any, options: PredictionOptions | None = None, *, unit: str = "example"
    ) -> Iterator[str]:
        """Generates a text for one raw input, and yields the text so far after each token. The last
        text is the one that `predict` returns. A text need not be a prefix of the next one, because
        a word may change the space before it.

        Args:
            value: the input.
            options: the options of the prediction: greedy search or sampling, with one text.
            unit: what the input is called in errors.

        Raises:
            SeqzooError: the run does not generate texts, beam search was chosen, or the input is
                empty or of the wrong shape.
        """
        if not isinstance(self.task, StreamsText):
            raise SeqzooError(f"{self.folder} does not generate text, so there is none to stream.")
        task: Any = self.task
        data = task.encode(Examples([value], lines=[0], unit=unit), targets=False)
        return self._inference.stream(data, self.checked_options(options))

    def session(self, options: PredictionOptions | None = None) -> Session:
        """Starts a session, which reads one input in parts.

        Args:
            options: the options of the predictions.

        Raises:
            SeqzooError: the model needs the complete input at once.
        """
        return Session(self._stepper, self.checked_options(options))

    @cached_property
    def _stepper(self) -> Stepper:
        return Stepper(self.task, self.model)

    def evaluate(
        self,
        examples: Examples,
        options: PredictionOptions | None = None,
        *,
        folder: str | os.PathLike[str] | None = None,
    ) -> dict[str, Any]:
        """Evaluates the model on examples with targets.

        Args:
            examples: the examples to evaluate on.
            options: the options of the predictions.
            folder: the folder to write evaluation.json, tables and plots to; None to write none.

        Returns:
            "examples", "loss" and the metrics of the target type; JSON-serialisable.

        Raises:
            SeqzooError: an example is empty, not finite or of the wrong shape, or has a label that
                did not occur in training.
        """
        check_instance("examples", examples, Examples, "`Examples(inputs, targets)`")
        options = self.checked_options(options)
        data = self.task.data(examples)
        results = self._inference.collect(self.task.score, data, options)
        losses, counts = (np.array(results.pop(name), np.float64) for name in ("loss", "count"))
        metrics = {
            "examples": len(data),
            "loss": float(losses.sum() / counts.sum()),
            **self.task.compute_metrics(results, data, examples, options),
        }
        if (temperature := stored_temperature(self.folder)) is not None:
            logits, targets = collect_logits(self._inference, data)
            before = calibration_of(logits * temperature, targets)
            metrics["calibration"] |= {"temperature": temperature, "before": before}
        if folder is not None:
            write_evaluation(pathlib.Path(folder), metrics)
            target = self.source.get("target")
            self.task.illustrate(
                self.model, examples, results, pathlib.Path(folder), options, target
            )
        return metrics

    def score(self, texts: Sequence[str]) -> list[float]:
        """Log-probabilities of texts under a language model.

        Args:
            texts: complete texts.

        Returns:
            The log-probability of each text in nats, including its end if the model has an end
            token.

        Raises:
            SeqzooError: the run is not a language model, or `texts` is not a list of strings.
        """
        if not isinstance(self.task, ScoresTexts):
            raise SeqzooError(f"{self.folder} is not a language model, so it cannot score texts.")
        texts = listed(texts)
        check_list(texts)
        locations = [f"example {index}" for index in range(len(texts))]
        (raw,) = self.task.features.raw(texts, locations)
        return self._inference.log_probabilities(raw)

    def export(
        self,
        folder: str | os.PathLike[str],
        options: PredictionOptions | None = None,
        *,
        format: str = "saved-model",
        precision: str = "float32",
        steps: int | None = None,
        examples: Sequence[Any] = (),
        check: bool = True,
        signatures: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Exports the model to a format that can be loaded without seqzoo, and compares the export
        with the model in a separate process.

        Args:
            folder: the folder to write.
            options: the options of the predictions.
            format: "saved-model", "onnx", "litert" or "keras"; see `seqzoo.tasks.export.formats`.
            precision: the precision of the weights: "float32", or another that the format
                supports.
            steps: number of time steps of an input, for LiteRT; None for any number.
            examples: raw inputs to compare predictions on; random ones by default.
            check: whether to compare the export with the model.
            signatures: additional signatures of a SavedModel, which make it slower to load:
                "explain", the attention of each generated token, and "serving_compiled", with loops
                that XLA compiles, for batches of 32 and more; see docs/deployment.md.

        Returns:
            "format", "folder", "files", the size of each file in bytes by name, and if the export
            was checked, "difference", the largest difference from the model, relative to the
            largest result.

        Raises:
            SeqzooError: the folder exists and is not empty, there is no model yet, the format
                cannot represent the model, its extra is not installed, or the results of the
                export differ from the model's.
        """
        request = Export(
            self.task,
            self.model,
            self.checked_options(options),
            self.predict,
            examples,
            precision,
            steps,
            check,
            tuple(signatures),
        )
        return export(request, folder, format)


def _first_line(reason: str) -> str:
    return reason.strip().partition("\n")[0].rstrip(".")


def check_list(inputs: Any) -> None:
    """Checks that inputs are a list, and not a single input.

    Raises:
        SeqzooError: `inputs` is a single text, or is not a list.
    """
    if isinstance(inputs, str | bytes):
        raise SeqzooError("`inputs` must be a list of inputs, got one text; put it in a list.")
    if not is_list(inputs):
        raise SeqzooError(f"`inputs` must be a list of inputs, got {type(inputs).__name__}.")


def _template(config: dict[str, Any]) -> Template:
    if config["template"] not in TEMPLATES:
        raise SeqzooError(
            f"This version of seqzoo has no template {config['template']!r}; update seqzoo."
        )
    return TEMPLATES[config["template"]].from_config(config["task"])
