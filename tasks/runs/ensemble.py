"""An ensemble: several runs of one task, whose predictions are averaged."""

import os
import pathlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from seqzoo.tasks.base import Prediction, PredictionOptions
from seqzoo.tasks.data.batches import Data, Sequences, widened
from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.errors import SeqzooError, check_instance, some_of
from seqzoo.tasks.forecast.task import ForecastTask
from seqzoo.tasks.many_to_many_aligned.tagger import TaggerTask
from seqzoo.tasks.many_to_many_unaligned.task import UnalignedTask
from seqzoo.tasks.many_to_one.task import ManyToOneTask
from seqzoo.tasks.preprocessing.vocabulary import SPECIAL
from seqzoo.tasks.runs.evaluation_files import write_evaluation
from seqzoo.tasks.runs.predictor import Inference
from seqzoo.tasks.runs.run import Run, check_list
from seqzoo.tasks.seq2seq.mean_generator import MeanGenerator
from seqzoo.tasks.seq2seq.task import GeneratorTask
from seqzoo.tasks.targets.classes import ClassTargets
from seqzoo.tasks.targets.elements import ElementLoss
from seqzoo.tasks.targets.labels import LabelTargets
from seqzoo.tasks.targets.texts import END_TOKEN, START_TOKEN
from seqzoo.tasks.targets.values import ValueTargets

Averaged = ManyToOneTask | TaggerTask | GeneratorTask | UnalignedTask | ForecastTask

TRANSCRIBED_AT_ONCE = 64
"""Number of inputs whose probabilities at all steps are in memory at once."""


class Ensemble:
    """Several runs of one task, whose predictions are averaged.

    The probability of a class, or of a label, is the mean over the runs; numbers are averaged in
    the units of the data. The tags of a sequence are those with the highest mean probability at
    each step, kept well formed if a CRF requires it, and their joint probability is the mean over
    the runs. Texts are generated from the mean probability of each next token. Forecasts are
    averaged in the units of the data, and so is each of their quantiles. A transcript is the text
    with the highest mean log-probability among those that each run finds. Cells and sizes may
    differ, and so may vocabularies, except for texts.

    Attributes:
        runs: the runs; the first one determines how raw inputs are read.

    Args:
        runs: two or more runs, or their folders.

    Raises:
        SeqzooError: there are fewer than two runs, they differ in their input or target types,
            labels, number of values or, for texts, vocabularies, or, for transcripts, symbols, or,
            for forecasts, horizons, look-back windows or distributions, or their predictions, such
            as those of language models, cannot be averaged.
    """

    def __init__(self, runs: Sequence[Run | str | os.PathLike[str]]):
        check_instance("runs", runs, (list, tuple), "a list of runs or of their folders")
        if len(runs) < 2:
            raise SeqzooError(f"An ensemble needs at least 2 runs, got {len(runs)}.")
        self._transcribing: tuple[PredictionOptions, Any] | None = None
        self.runs = [run if isinstance(run, Run) else Run.open(run) for run in runs]
        first = self.runs[0]
        if not isinstance(first.task, Averaged):
            raise SeqzooError(
                "The runs of an ensemble must predict a class, labels or numbers for each "
                "sequence, or tags, or texts from inputs, or forecast; got "
                f"{first.folder}, a {first.template.name} run with target "
                f"{first.template.target!r}."
            )
        expected = _description(first)
        for other in self.runs[1:]:
            described = _description(other)
            for name, value in expected.items():
                if (got := described.get(name, value)) != value:
                    raise SeqzooError(
                        f"The runs of an ensemble must have the same {name}, got "
                        f"{_shown(value)} in {first.folder} and {_shown(got)} in {other.folder}."
                    )
            if isinstance(first.task, GeneratorTask):
                self._check_encoding(other)

    def __reduce__(self) -> tuple[Any, ...]:
        # Graphs can be neither copied nor pickled.
        return type(self), (self.runs,)

    def _check_encoding(self, other: Run) -> None:
        """Checks that another generator reads inputs as the first does, since both get the same
        tensors.

        Raises:
            SeqzooError: they were scaled by other training examples, or their options differ.
        """
        first = self.runs[0]
        configs = [run.task.features.to_config() for run in (first, other)]
        for name in dict.fromkeys([*configs[0], *configs[1]]):
            if configs[0].get(name) != configs[1].get(name):
                raise SeqzooError(
                    f"The runs of an ensemble that generates texts must read inputs alike, but "
                    f"`{name}` differs in {first.folder} and {other.folder}; train them on the "
                    "same examples."
                )

    @property
    def folder(self) -> pathlib.Path:
        """The folder of the first run, for messages."""
        return self.runs[0].folder

    @property
    def template(self) -> Any:
        """The template of the first run."""
        return self.runs[0].template

    @property
    def task(self) -> Any:
        """The task of the first run."""
        return self.runs[0].task

    @property
    def source(self) -> dict[str, Any]:
        """The data source of the first run."""
        return self.runs[0].source

    @cached_property
    def _inference(self) -> Inference:
        """Inference of texts with all models at once."""
        first = self.runs[0]
        return Inference(self.task, MeanGenerator(self.model), first.settings, first.padding)

    @cached_property
    def model(self) -> list[Any]:
        """The models of all runs.

        Raises:
            SeqzooError: a run has no model yet.
        """
        return [run.model for run in self.runs]

    def predict(
        self,
        inputs: Any,
        options: PredictionOptions | None = None,
        *,
        lines: Sequence[int] | None = None,
        unit: str = "line",
    ) -> list[Prediction]:
        """Makes predictions for raw inputs; takes the same arguments as `Run.predict`.

        Raises:
            SeqzooError: an input is empty, not finite or of the wrong shape.
        """
        check_list(inputs)
        if not len(inputs):
            return []
        options = self._checked_options(options)
        examples = Examples(inputs, lines=lines, unit=unit)
        if isinstance(self.task, UnalignedTask):
            results = self._transcribed(examples, options, targets=False)
            return self.task.predictions(results, examples.inputs, options)
        if isinstance(self.task, GeneratorTask):
            encoded = self.task.encode(examples, targets=False)
            results = self._inference.collect(self.task.infer, encoded, options)
            return self.task.predictions(results, examples.inputs, options)
        if isinstance(self.task, TaggerTask):
            examples = replace(examples, inputs=self.task.as_words(examples.inputs))
        data = [run.task.encode(examples, targets=False) for run in self.runs]
        if isinstance(self.task, TaggerTask):
            return self.task.predictions(self._tagged(data, options), examples.inputs, options)
        if isinstance(self.task, ForecastTask):
            means = self._mean_forecasts(self._collect("infer", data, options))
            return self.task.predictions(means, examples.inputs, options)
        targets, outputs = self._outputs(data, options)
        return targets.predictions(outputs, options.top)

    def evaluate(
        self,
        examples: Examples,
        options: PredictionOptions | None = None,
        *,
        folder: str | os.PathLike[str] | None = None,
    ) -> dict[str, Any]:
        """Evaluates the averaged predictions; arguments and result are those of `Run.evaluate`.

        The loss of a tagger is the negative logarithm of the mean joint probability of the tags;
        those of forecasts and transcripts are the means of the losses of the runs.

        Raises:
            SeqzooError: an example is malformed, or has a label that did not occur in training.
        """
        check_instance("examples", examples, Examples, "`Examples`")
        options = self._checked_options(options)
        if isinstance(self.task, UnalignedTask):
            result = self._transcribed(examples, options, targets=True)
            loss = np.sum(result.pop("loss")) / np.sum(result.pop("count"))
            metrics = self.task.compute_metrics(result, None, examples, options)
            return _evaluated(len(examples), loss, metrics, folder)
        data = [run.task.data(examples) for run in self.runs]
        first = data[0]
        if isinstance(self.task, GeneratorTask):
            result = self._inference.collect(self.task.score, first, options)
            loss = np.sum(result.pop("loss")) / np.sum(result.pop("count"))
            metrics = self.task.compute_metrics(result, first, examples, options)
        elif isinstance(self.task, TaggerTask):
            loss = -self._log_joint(data, options).sum() / first.inputs.lengths.sum()
            result = self._tagged(data, options)
            metrics = self.task.compute_metrics(result, first, examples, options)
        elif isinstance(self.task, ForecastTask):
            results = self._collect("score", data, options)
            loss = np.mean([np.sum(item["loss"]) / np.sum(item["count"]) for item in results])
            means = self._mean_forecasts(results)
            metrics = self.task.compute_metrics(means, first, examples, options)
            if folder is not None:
                path = pathlib.Path(folder)
                path.mkdir(parents=True, exist_ok=True)
                target = self.source.get("target")
                self.task.illustrate(None, examples, means, path, options, target)
        else:
            targets, outputs = self._outputs(data, options)
            truths = widened(np.asarray(first.targets))
            loss = np.mean(targets.objective(tf.constant(outputs), tf.constant(truths))[0])
            metrics = targets.compute_metrics(outputs, truths)
        return _evaluated(len(first), loss, metrics, folder)

    def _checked_options(self, options: PredictionOptions | None) -> PredictionOptions:
        """The options of predictions, which must be ones that averages have.

        Raises:
            SeqzooError: several sequences of tags, or a penalty on logits, are requested.
        """
        chosen = self.runs[0].checked_options(options)
        if options is not None and isinstance(self.task, TaggerTask) and options.top > 1:
            raise SeqzooError(
                f"`top` must be 1 for the tags of an ensemble, got {options.top}.", field="top"
            )
        decoding = chosen.decoding
        if isinstance(self.task, UnalignedTask) and decoding and decoding.language_model:
            raise SeqzooError(
                "`language_model` is for one run; leave it out for an ensemble.",
                field="language_model",
            )
        if not isinstance(self.task, GeneratorTask):
            return chosen
        for run in self.runs[1:]:
            run.task.replaces_unknown(chosen)  # raises an error for a run without attention
        penalty = (chosen.decoding or self.task.decoding).repetition_penalty
        if penalty != 1:
            raise SeqzooError(
                "`repetition_penalty` divides logits, which the mean of several models does not "
                f"have; leave it out for an ensemble, got {penalty}.",
                field="repetition_penalty",
            )
        return chosen

    def _collect(
        self, method: str, data: list[Data], options: PredictionOptions
    ) -> list[dict[str, list]]:
        """The results of the method named `method` of each task on its encoded examples."""
        return [
            run._inference.collect(getattr(run.task, method), item, options)
            for run, item in zip(self.runs, data, strict=True)
        ]

    def _outputs(self, data: list[Data], options: PredictionOptions) -> tuple[Any, np.ndarray]:
        """Targets, and outputs (n, size) that decode to the averaged predictions."""
        results = [np.stack(item["outputs"]) for item in self._collect("infer", data, options)]
        targets = self.task.targets
        if not isinstance(targets, ValueTargets):
            return targets, mean_logits(targets, np.stack(results)).astype(np.float32)
        values = [
            run.task.targets.numbers(item) for run, item in zip(self.runs, results, strict=True)
        ]
        outputs = (np.mean(values, 0) - targets.mean) / targets.scale
        # Linear, because the activation has already been applied.
        loss = ElementLoss(targets.loss.name, "linear")
        averaged = ValueTargets(targets.mean, targets.scale, loss, targets.training_mean)
        return averaged, outputs.astype(np.float32)

    def _tagged(self, data: list[Data], options: PredictionOptions) -> dict[str, list]:
        """The tensors that `TaggerTask.predictions` and `compute_metrics` need, from the averaged
        probabilities."""
        lengths = data[0].inputs.lengths
        result = self._collect("marginals", data, options)
        for run, item in zip(self.runs, data, strict=True):
            if not np.array_equal(item.inputs.lengths, lengths):
                raise SeqzooError(
                    f"{run.folder} and {self.folder} split the inputs into different steps."
                )
        crf = any(run.template.crf for run in self.runs)
        allowed = self.task.tags.constraints if crf else None
        tags, probabilities = [], []
        for row, length in enumerate(lengths):
            mean = np.mean([item["probabilities"][row][:length] for item in result], 0)
            tags.append(most_probable(mean, allowed))
            probabilities.append(mean[np.arange(length), tags[-1]])
        predicted = Sequences.of(tags)
        joint = self._log_joint([replace(item, targets=predicted) for item in data], options)
        return {
            "tags": tags,
            "lengths": list(lengths),
            "probabilities": probabilities,
            "log_probabilities": list(joint),
        }

    def _transcribed(
        self, examples: Examples, options: PredictionOptions, targets: bool
    ) -> dict[str, list]:
        """The results of `UnalignedTask.transcribe_jointly`; with targets, also the mean "loss" of
        the runs and the "count" of each example.

        Raises:
            SeqzooError: the runs split an input into different numbers of steps.
        """
        results: dict[str, list] = {}
        for start in range(0, len(examples), TRANSCRIBED_AT_ONCE):
            part = examples.pick(range(start, min(start + TRANSCRIBED_AT_ONCE, len(examples))))
            found = self._collect(
                "step_outputs", [run.task.encode(part, targets) for run in self.runs], options
            )
            lengths = found[0]["lengths"]
            for run, item in zip(self.runs, found, strict=True):
                if item["lengths"] != lengths:
                    raise SeqzooError(
                        f"{run.folder} and {self.folder} split the inputs into different steps."
                    )
            outputs = [
                _padded([logits[:, order] for logits in item["outputs"]], lengths)
                for item, order in zip(found, self._orders, strict=True)
            ]
            transcripts = self._transcribe(outputs, np.array(lengths, np.int32), options)
            if targets:
                losses = np.mean([item["loss"] for item in found], 0)
                transcripts |= {"loss": losses, "count": found[0]["count"]}
            for name, values in transcripts.items():
                results.setdefault(name, []).extend(values)
        return results

    @cached_property
    def _orders(self) -> list[list[int]]:
        """For each run, its ids of the symbols in the order of the first run."""
        tokens = self.task.transcripts.vocabulary.tokens
        orders = []
        for run in self.runs:
            own = {token: k for k, token in enumerate(run.task.transcripts.vocabulary.tokens)}
            order = [SPECIAL + own[token] for token in tokens]
            orders.append([*range(SPECIAL), *order])
        return orders

    def _transcribe(
        self, outputs: list[np.ndarray], lengths: np.ndarray, options: PredictionOptions
    ) -> dict[str, list]:
        """`UnalignedTask.transcribe_jointly` in a graph, which is kept for the last options."""
        if self._transcribing is None or self._transcribing[0] != options:

            def run(outputs: Any, lengths: Any) -> Any:
                return self.task.transcribe_jointly(outputs, lengths, options)

            specs = [tf.TensorSpec([None, None, item.shape[2]], tf.float32) for item in outputs]
            signature = [specs, tf.TensorSpec([None], tf.int32)]
            graph = tf.function(run, input_signature=signature, autograph=False)
            self._transcribing = options, graph
        tensors = [tf.constant(item) for item in outputs], tf.constant(lengths)
        return {name: list(v.numpy()) for name, v in self._transcribing[1](*tensors).items()}

    def _mean_forecasts(self, results: list[dict[str, list]]) -> dict[str, list]:
        """The forecasts of all models, averaged: "values", and each of the "quantiles".

        Raises:
            SeqzooError: only some of the models forecast intervals.
        """
        wide = [any(np.ptp(item, -1).any() for item in result["quantiles"]) for result in results]
        if any(wide) and not all(wide):
            without, other = (self.runs[wide.index(value)].folder for value in (False, True))
            raise SeqzooError(
                f"The runs of an ensemble must all forecast intervals, or none, but {other} does "
                f"and {without} does not."
            )
        return {
            name: list(np.mean([np.stack(item[name]) for item in results], 0))
            for name in ("values", "quantiles")
        }

    def _log_joint(self, data: list[Data], options: PredictionOptions) -> np.ndarray:
        """The logarithm of the mean joint probability of the target tags of each sequence, (n,).
        The probabilities of long sequences themselves would underflow."""
        result = self._collect("score", data, options)
        return _log_mean(-np.array([item["loss"] for item in result], np.float64))


def _evaluated(
    count: int, loss: Any, metrics: dict[str, Any], folder: str | os.PathLike[str] | None
) -> dict[str, Any]:
    """The metrics of an evaluation, which are also written to a folder, unless it is None."""
    metrics = {"examples": count, "loss": float(loss), **metrics}
    if folder is not None:
        write_evaluation(pathlib.Path(folder), metrics)
    return metrics


def _padded(rows: list[np.ndarray], lengths: list) -> np.ndarray:
    """Arrays (time, ids), of which the first steps are used, as one (n, longest, ids)."""
    longest = max(1, *lengths)  # an input without steps has one of padding
    result = np.zeros((len(rows), longest, rows[0].shape[1]), np.float32)
    for target, row, length in zip(result, rows, lengths, strict=True):
        target[:length] = row[:length]
    return result


def mean_logits(targets: ClassTargets | LabelTargets, outputs: np.ndarray) -> np.ndarray:
    """Logits of the mean probabilities of several models.

    Args:
        targets: classes, of which one is correct, or labels, each of which may be.
        outputs: the logits of each model, (models, n, size).

    Returns: logits (n, size), float64.
    """
    outputs = outputs.astype(np.float64)
    if isinstance(targets, ClassTargets):
        return _log_mean(outputs - np.logaddexp.reduce(outputs, -1, keepdims=True))
    return _log_mean(-np.logaddexp(0, -outputs)) - _log_mean(-np.logaddexp(0, outputs))


def _log_mean(logarithms: np.ndarray) -> np.ndarray:
    """The logarithm of the mean over the first axis of exp(logarithms)."""
    return np.logaddexp.reduce(logarithms, 0) - np.log(len(logarithms))


def most_probable(probabilities: np.ndarray, allowed: tuple | None) -> np.ndarray:
    """The allowed sequence of tags with the largest product of probabilities.

    Args:
        probabilities: the probabilities of each tag at each step, (time, tags).
        allowed: the allowed transitions, starts and ends, as `bio_constraints` returns them; None
            for all.

    Returns: tags (time,), int32.
    """
    if allowed is None:
        return probabilities.argmax(-1).astype(np.int32)
    moves, starts, ends = (np.where(np.asarray(item, bool), 0.0, -np.inf) for item in allowed)
    scores = np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))
    best, origins = scores[0] + starts, []
    for score in scores[1:]:
        candidates = best[:, None] + moves
        origins.append(candidates.argmax(0))
        best = candidates.max(0) + score
    tags = [int((best + ends).argmax())]
    for origin in reversed(origins):
        tags.append(int(origin[tags[-1]]))
    return np.array(tags[::-1], np.int32)


def _description(run: Run) -> dict[str, Any]:
    """The properties that the runs of an ensemble must share, by name."""
    template, task = run.template, run.task
    kinds = {
        "template": template.name,
        "input": template.input,
        "target": template.target,
        "further inputs": dict(getattr(template, "further_inputs", {})),
    }
    if isinstance(task, TaggerTask):
        return kinds | {"tags": task.tags.names}
    if isinstance(task, ManyToOneTask):
        targets = task.targets
        names = getattr(targets, "names", None)
        return kinds | ({"number of values": targets.size} if names is None else {"labels": names})
    if isinstance(task, UnalignedTask):
        return kinds | {"symbols": sorted(task.transcripts.vocabulary.tokens)}
    if isinstance(task, ForecastTask):
        names = COLUMNS if run.source else {}  # trained from Python, its columns have no names
        return kinds | {
            **{shown: run.source.get(name) for name, shown in names.items()},
            "horizon": template.horizon,
            "look-back": template.look_back,
            "number of targets": task.features.targets,
            "distribution": template.distribution,
            "levels": list(map(str, template.levels)),
            "frequency": str(task.features.frequency),
        }
    if isinstance(task, GeneratorTask):
        options = {name: getattr(template, name, None) for name in READING}
        vocabularies = {
            name: [token for token in item.tokens if token not in (START_TOKEN, END_TOKEN)]
            for name, item in task.vocabularies.items()
        }
        return kinds | options | {name.replace("_", " "): v for name, v in vocabularies.items()}
    return kinds


COLUMNS = {
    "target": "targets",
    "past_columns": "past covariates",
    "known_columns": "future covariates",
    "static_columns": "static covariates",
}
"""The fields of a source that name the columns of a forecast, with what they name."""

READING = (
    "copy",
    "lowercase",
    "nfc",
    "lowercase_targets",
    "maximum_length",
    "columns_per_step",
    "image_size",
    "sample_rate",
    "mel_bins",
    "mean_normalization",
    "ngrams",
    "ngram_buckets",
)
"""The options of a template that determine how inputs become tensors, and texts tokens."""


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return some_of([item if item.strip() else repr(item) for item in value])
    return repr(value)
