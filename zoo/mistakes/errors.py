"""The mistakes of a run on held-out examples: `seqzoo errors` from Python."""

import pathlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from seqzoo.tasks.data.examples import Examples, Splits
from seqzoo.tasks.errors import SeqzooError, check_instance
from seqzoo.tasks.fields import checked_count
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.tasks.wording import counted
from seqzoo.zoo.data.source import Source, check_fields
from seqzoo.zoo.data.splits import input_key
from seqzoo.zoo.inference.open_run import open_run
from seqzoo.zoo.mistakes.causes import CAUSES, Predictions, TrainingStatistics, causes_of
from seqzoo.zoo.mistakes.label_errors import likely_label_errors
from seqzoo.zoo.output import shortened, shown_inputs, table
from seqzoo.zoo.training.temporary import train_temporarily


@dataclass(frozen=True)
class Mistake:
    """An example whose prediction, or whose label, is wrong.

    Attributes:
        location: the line or number of the example.
        input: the input on one line; empty for numbers.
        truth: its label.
        prediction: the class that was predicted, or that is more likely than the label.
        probability: the probability of `prediction`.
        probability_of_truth: the probability of the label.
        causes: likely causes, see `seqzoo.zoo.mistakes.causes.CAUSES`; empty for label errors.
    """

    location: str
    input: str
    truth: str
    prediction: str
    probability: float
    probability_of_truth: float
    causes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Group:
    """The mistakes that are attributed to a cause.

    Attributes:
        cause: the name of the cause.
        meaning: an explanation of the cause.
        mistakes: the number of mistakes.
        share: their fraction of all mistakes.
        share_of_examples: the fraction of all examples, right or wrong, whose first cause it is.
        examples: the most confident mistakes, in descending order of confidence.
    """

    cause: str
    meaning: str
    mistakes: int
    share: float
    share_of_examples: float
    examples: tuple[Mistake, ...]


@dataclass(frozen=True)
class ErrorReport:
    """The mistakes of a run.

    Attributes:
        run: the folder of the run.
        split: the split that was predicted.
        examples: number of examples.
        mistakes: number of mistakes.
        groups: the groups, by likely cause.
        confusions: the most frequent pairs: truth, prediction and count.
        label_errors: number of likely label errors.
        labels: the likeliest label errors.
    """

    run: str
    split: str
    examples: int
    mistakes: int
    groups: tuple[Group, ...]
    confusions: tuple[tuple[str, str, int], ...]
    label_errors: int
    labels: tuple[Mistake, ...]

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return asdict(self)

    def text(self) -> str:
        """The report for a terminal."""
        among = " ".join([f"{self.examples:,}", *filter(None, [self.split]), "examples"])
        accuracy = 1 - self.mistakes / self.examples
        mistakes = counted(self.mistakes, "mistake")
        parts = [f"{mistakes} among {among} (accuracy {accuracy:.4f})."]
        if self.groups:
            rows = [
                [
                    item.cause,
                    f"{item.mistakes:,}",
                    f"{item.share:.0%}",
                    f"{item.share_of_examples:.0%}",
                ]
                for item in self.groups
            ]
            headers = ["likely cause", "mistakes", "of all mistakes", "of all examples"]
            parts += ["", table(headers, rows)]
        for group in self.groups:
            parts += ["", f"{group.cause.capitalize()}: {group.meaning}. The most confident:"]
            parts.append(_rows(group.examples, "prediction"))
        if self.confusions:
            rows = [
                [truth, prediction, f"{count:,}"] for truth, prediction, count in self.confusions
            ]
            parts += [
                "",
                "Most frequent confusions:",
                table(["truth", "prediction", "mistakes"], rows),
            ]
        if self.labels:
            several = f"{self.label_errors:,} likely label errors, likeliest first:"
            if self.label_errors > len(self.labels):
                several = (
                    f"{self.label_errors:,} likely label errors; the {len(self.labels)} likeliest:"
                )
            parts += ["", "1 likely label error:" if self.label_errors == 1 else several]
            parts.append(_rows(self.labels, "more likely"))
        else:
            parts += ["", "No likely label errors."]
        return "\n".join(parts)


def errors(
    run: Any,
    data: str | None = None,
    *,
    split: str | None = None,
    folds: int | None = None,
    top: int = 5,
    device: str | None = None,
    print_fn: Callable[[str], Any] = lambda _: None,
    **fields: Any,
) -> ErrorReport:
    """The most confident mistakes of a run by likely cause, and likely label errors.

    Args:
        run: a folder, a preset with a trained model, or a `seqzoo.tasks.Run` with target "class".
        data: a file or data set; None for that of the training run.
        split: the split of the data to examine; None for all of a given file, otherwise the test
            split.
        folds: number of models to train, each on all but one fold of the training examples; the
            predictions of each for its held-out fold are analysed instead of those of the run.
        top: number of examples to list per cause; four times as many label errors are listed.
        device: see `seqzoo.zoo.devices.choose`.
        print_fn: called with a sentence about each step.
        **fields: fields of `Source`, such as `input`, that differ from those of the training run.

    Raises:
        SeqzooError: the run has a different target, its data are not known, or an option is not
            valid.
    """
    # Before the import of `Run`, since it starts TensorFlow without its log messages.
    opened = open_run(str(run), device) if isinstance(run, str | pathlib.Path) else run
    from seqzoo.tasks.runs.run import Run

    expected = "a run, its folder or the name of a preset"
    if not hasattr(opened, "template"):
        raise SeqzooError(field="run", expected=expected, got=run)
    if opened.template.target != "class":
        raise SeqzooError(
            f"Mistakes can be shown only for target 'class', got {opened.folder} with target "
            f"{opened.template.target!r}."
        )
    check_instance("run", opened, Run, expected)
    folds = None if folds is None else checked_count("folds", folds, minimum=2)
    top = checked_count("top", top)
    if split == "train" and folds is None:
        raise SeqzooError(
            "A model makes few mistakes on its own training examples; use --folds 5, which trains "
            "models that have not seen the examples they predict."
        )
    from seqzoo.zoo.data.open import open_examples, without_roles

    known = Source.of_run(opened, data)
    training = _training(opened, known, data, print_fn)
    other = known if data is None else known.of_other_data(data)
    check_fields(fields)
    source = without_roles(replace(other, **fields), "weight_column")
    if folds is not None:
        if data is not None or split not in (None, "train") or training is None:
            raise SeqzooError(
                "--folds uses the training examples of the run; leave out DATA and --split."
            )
        print_fn(f"Training {folds} models.")
        predictions = _cross_predictions(opened, training, folds, print_fn)
        return report(opened, training.train, predictions, None, "training", top)
    if split is None:
        split = "all" if data is not None and source.is_file() else "test"
    examples = open_examples(source, split)
    statistics = None
    if training is not None:
        steps = opened.task.encode(training.train, targets=False).inputs.lengths
        statistics = TrainingStatistics.of(training.train.inputs, training.train.targets, steps)
    return report(
        opened,
        examples,
        predictions_of(opened, examples),
        statistics,
        split.replace("all", ""),
        top,
    )


def _training(run: Any, source: Source, data: Any, print_fn: Callable[[str], Any]) -> Splits | None:
    """The data of a training run; None if they are unknown, or are neither available nor needed."""
    from seqzoo.zoo.data.open import open_source

    if not run.source:
        return None
    try:
        return open_source(source)[0]
    except SeqzooError as error:
        if data is None:
            raise
        print_fn(f"The training examples are not examined: {error}")
        return None


def predictions_of(run: Any, examples: Examples) -> Predictions:
    """The predictions of a classifier for examples with targets."""
    data = run.task.data(examples)
    return _predictions(run, data, examples, _probabilities(run, data), np.asarray(data.targets))


def report(
    run: Any,
    examples: Examples,
    predictions: Predictions,
    training: TrainingStatistics | None,
    split: str,
    top: int,
) -> ErrorReport:
    """Builds the report from predictions.

    Args:
        run: the run.
        examples: the examples.
        predictions: the predictions for them.
        training: statistics of the training examples; None if they are not known.
        split: the name of the split, for the report.
        top: number of examples to list per cause; four times as many label errors are listed.
    """
    causes = causes_of(predictions, training)
    predicted, truths = predictions.predicted, predictions.truths
    wrong = np.flatnonzero(predicted != truths)
    wrong = wrong[np.argsort(-predictions.probabilities[wrong, predicted[wrong]], kind="stable")]

    def mistake(index: int, other: int, named: tuple[str, ...] = ()) -> Mistake:
        value = examples.inputs[index]
        return Mistake(
            examples.location(index),
            shortened(value) if isinstance(value, str) else shown_inputs(value),
            predictions.names[int(truths[index])],
            predictions.names[other],
            float(predictions.probabilities[index, other]),
            float(predictions.probabilities[index, truths[index]]),
            named,
        )

    # All examples are attributed to causes as mistakes are, so that their shares are comparable.
    names = list(causes)
    attributed = [names[first] for first in np.argmax(list(causes.values()), axis=0)]
    groups: dict[str, list[Mistake]] = {name: [] for name in causes}
    for index in wrong:
        named = tuple(name for name, applies in causes.items() if applies[index])
        groups[attributed[index]].append(mistake(int(index), int(predicted[index]), named))
    pairs = Counter(
        (predictions.names[int(truths[n])], predictions.names[int(predicted[n])]) for n in wrong
    )
    labels = likely_label_errors(predictions.probabilities, truths)
    return ErrorReport(
        str(run.folder),
        split,
        len(truths),
        len(wrong),
        tuple(
            Group(
                name,
                CAUSES[name],
                len(group),
                len(group) / len(wrong),
                attributed.count(name) / len(attributed),
                tuple(group[:top]),
            )
            for name, group in groups.items()
            if group
        ),
        tuple((*pair, count) for pair, count in pairs.most_common(top)),
        len(labels),
        tuple(mistake(*pair) for pair in labels[: 4 * top]),
    )


def _probabilities(run: Any, data: Any) -> np.ndarray:
    from seqzoo.tasks.base import PredictionOptions
    from seqzoo.tasks.runs.predictor import Inference

    inference = Inference(run.task, run.model, run.settings, run.padding)
    result = inference.collect(run.task.class_logits, data, PredictionOptions())
    logits = np.stack(result["logits"]).astype(np.float64)
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    return exponentials / exponentials.sum(1, keepdims=True)


def _predictions(
    run: Any, data: Any, examples: Examples, probabilities: np.ndarray, truths: np.ndarray
) -> Predictions:
    from seqzoo.tasks.preprocessing.vocabulary import UNKNOWN

    lengths = data.inputs.lengths
    unknown = np.zeros(len(lengths))
    if run.task.features.vocabulary is not None:
        starts = np.cumsum(lengths) - lengths
        unknown = np.add.reduceat(data.inputs.flat == UNKNOWN, starts, dtype=np.int64) / lengths
    names = run.task.targets.names
    return Predictions(names, probabilities, truths, examples.inputs, lengths, unknown)


def _cross_predictions(
    run: Any, splits: Splits, folds: int, print_fn: Callable[[str], Any]
) -> Predictions:
    """Predictions for training examples, each by a model that was trained without that example."""
    examples = splits.train
    # Equal inputs are in the same fold.
    keys = [input_key(value) for value in examples.inputs]
    positions = {key: n for n, key in enumerate(dict.fromkeys(keys))}
    order = np.random.default_rng(run.settings.seed).permutation(len(positions))
    fold_of = np.array([order[positions[key]] % folds for key in keys])
    if len(positions) < folds:
        raise SeqzooError(field="folds", expected=f"at most {len(positions)}", got=folds)
    names = run.task.targets.names
    probabilities = np.zeros((len(examples), len(names)))
    columns = {name: column for column, name in enumerate(names)}
    data = run.task.data(examples)
    unknown = np.zeros(len(examples))
    for fold in range(folds):
        print_fn(f"Model {fold + 1} of {folds}.")
        held_out, others = np.flatnonzero(fold_of == fold), np.flatnonzero(fold_of != fold)
        seen = examples.pick(others.tolist())
        parts = Splits(seen, with_labels_of(seen, splits.validation))
        model = train_temporarily(run, parts, weights_of_fold(run.settings, seen))
        held = model.task.encode(replace(examples.pick(held_out.tolist()), targets=None), False)
        held_probabilities = _probabilities(model, held)
        for column, name in enumerate(model.task.targets.names):
            probabilities[held_out, columns[name]] = held_probabilities[:, column]
        result = _predictions(
            model, held, examples, held_probabilities, np.zeros(len(held_out), int)
        )
        unknown[held_out] = result.unknown
    predictions = _predictions(run, data, examples, probabilities, np.asarray(data.targets))
    return replace(predictions, unknown=unknown)


def weights_of_fold(settings: TrainingSettings, training: Examples) -> TrainingSettings:
    """The settings, without the weights of classes that do not occur in the training examples of a
    fold."""
    from seqzoo.tasks.targets.base import class_name  # imports TensorFlow

    if not isinstance(settings.class_weight, Mapping):
        return settings
    known = {str(class_name(label)) for label in training.targets}
    kept = {name: value for name, value in settings.class_weight.items() if name in known}
    return replace(settings, class_weight=kept or None)


def with_labels_of(training: Examples, validation: Examples | None) -> Examples | None:
    """The validation examples whose label occurs in the training examples of a fold; None if there
    are none."""
    if validation is None:
        return None
    known = {str(label) for label in training.targets}
    chosen = [n for n, label in enumerate(validation.targets) if str(label) in known]
    return validation.pick(chosen) if chosen else None


def _rows(mistakes: tuple[Mistake, ...], header: str) -> str:
    headers = ["location", "input", "label", header, "probability", "probability of the label"]
    rows = [
        [
            mistake.location,
            mistake.input,
            mistake.truth,
            mistake.prediction,
            f"{mistake.probability:.3f}",
            f"{mistake.probability_of_truth:.3f}",
        ]
        for mistake in mistakes
    ]
    return table(headers, rows)
