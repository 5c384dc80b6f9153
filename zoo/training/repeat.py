"""Repeats a training run with several seeds or on several folds, and summarises the scores."""

import os
import pathlib
import shlex
import shutil
import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from seqzoo.tasks.atomic_files import write_json, write_text
from seqzoo.tasks.errors import Interrupted, SeqzooError, check_same, command
from seqzoo.tasks.fields import checked_count
from seqzoo.tasks.runs.layout import is_run
from seqzoo.zoo.config import toml_writer
from seqzoo.zoo.config.resolve import Choices, chosen, overridden
from seqzoo.zoo.config.toml_reader import read_config
from seqzoo.zoo.output import metric_name, table
from seqzoo.zoo.training.same_data import DATA, check_same_data
from seqzoo.zoo.training.stored_result import FINISHED, check_types, read_result
from seqzoo.zoo.training.train import (
    REPETITION,
    TrainingPlan,
    folder_of,
    plan_resumed,
    run_plan,
    with_free_options,
)

RESULT = "repetition.json"

MAX_RUNS = 1_000
"""Maximum number of training runs."""

NOTHING_HELD_OUT = (
    "No examples are held out to score the training runs on; hold some out with --test."
)


@dataclass(frozen=True)
class Repetition:
    """The scores of training runs that differ in their seed or in their held-out examples.

    Attributes:
        folder: the folder that contains the run folders.
        metric: name of the score.
        better: 1 if a larger score is better, -1 if a smaller one is.
        split: the split that was scored: "validation" or "test"; with folds, "test" is the held-out
            fold.
        metrics: the metrics of each training run that are single numbers, by the name of the run,
            such as "seed-3" or "fold-1-of-5".
    """

    folder: pathlib.Path
    metric: str
    better: int
    split: str
    metrics: dict[str, dict[str, float]]

    @property
    def scores(self) -> dict[str, float]:
        """The score of each training run by name."""
        return {name: metrics[self.metric] for name, metrics in self.metrics.items()}

    @property
    def best(self) -> str:
        """The name of the training run with the best score, which is also that of its folder."""
        return max(self.scores, key=lambda name: self.better * self.scores[name])

    @property
    def worst(self) -> str:
        """The name of the training run with the worst score."""
        return min(self.scores, key=lambda name: self.better * self.scores[name])

    def mean(self, metric: str | None = None) -> float:
        """The mean of a metric, by default of the score."""
        return statistics.fmean(metrics[metric or self.metric] for metrics in self.metrics.values())

    def deviation(self, metric: str | None = None) -> float:
        """The standard deviation of a metric, by default of the score, over the n training runs,
        with divisor n - 1."""
        return statistics.stdev(metrics[metric or self.metric] for metrics in self.metrics.values())

    def to_json(self) -> dict[str, Any]:
        """The output of `seqzoo train --repeat 5 --json`."""
        first = next(iter(self.metrics.values()))
        return {
            "folder": str(self.folder),
            "split": self.split,
            "metric": self.metric,
            "better": self.better,
            "mean": self.mean(),
            "standard_deviation": self.deviation(),
            "best": {"run": self.best, "score": self.scores[self.best]},
            "worst": {"run": self.worst, "score": self.scores[self.worst]},
            "runs": self.metrics,
            "metrics": {
                name: {"mean": self.mean(name), "standard_deviation": self.deviation(name)}
                for name in first
            },
        }

    def text(self) -> str:
        """A table of all training runs, with mean, standard deviation, best and worst."""
        names = list(dict.fromkeys([self.metric, *next(iter(self.metrics.values()))]))
        rows = [
            [run, *(f"{metrics[name]:.4f}" for name in names)]
            for run, metrics in self.metrics.items()
        ]
        rows.append(["mean", *(f"{self.mean(name):.4f}" for name in names)])
        rows.append(["standard deviation", *(f"{self.deviation(name):.4f}" for name in names)])
        best, worst = self.best, self.worst
        return (
            f"{table(['training', *map(metric_name, names)], rows)}\n\n"
            f"{metric_name(self.metric)} {self.mean():.4f} ± {self.deviation():.4f} over "
            f"{len(self.metrics)} training runs; best {self.scores[best]:.4f} ({best}), worst "
            f"{self.scores[worst]:.4f} ({worst})."
        )


def is_repetition(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder is that of repeated training runs."""
    return (pathlib.Path(folder).expanduser() / REPETITION).is_file()


def repeat(
    name: str | None,
    *,
    seeds: int | None = None,
    folds: int | None = None,
    folder: str | os.PathLike[str] | None = None,
    resume: bool = False,
    quiet: bool = True,
    device: str | None = None,
    print_fn: Callable[[str], Any] = print,
    **options: Any,
) -> Repetition:
    """Trains several times: `seqzoo train --repeat 5` or `--folds 5` from Python.

    With `seeds`, the training runs use the seed of the settings and the numbers after it. With
    `folds`, the training and validation examples are divided into folds with the same class
    proportions; each model is scored on the fold it was not trained on, and test examples are not
    used.

    Args:
        name: the name of a preset or a template, or the path of a configuration file; None to
            resume.
        seeds: number of training runs, at least 2; give either this or `folds`.
        folds: number of folds, at least 2.
        folder: the folder to write to, with a run folder for each training run; None for runs/NAME.
        resume: whether to continue in the folder: finished training runs are not repeated.
        quiet: whether to hide the progress of the training runs.
        device: "cpu", "gpu" or None for a GPU if there is one.
        print_fn: called with a line about each training run.
        **options: the options of source, template and training, named as in `seqzoo train`:
            `epochs=1`, `data="prices.tsv"`, `kind="series"`.

    Returns: the scores; the folder contains them as repetition.json.

    Raises:
        SeqzooError: a name or a setting is not valid, the folder contains something else, nothing
            is held out to score, or a training run fails.
        Interrupted: Ctrl-C, after a checkpoint; with `resume` the same call continues.
    """
    if (seeds is None) == (folds is None):
        raise SeqzooError("Give exactly one of `seeds` and `folds`.")
    field, count = ("repeat", seeds) if folds is None else ("folds", folds)
    count = checked_count(field, count, minimum=2, maximum=MAX_RUNS)
    named = os.fspath(folder) if folder is not None else None
    path = folder_of(name, named, options, device=device, resume=resume)
    base = _base(path, name, options, resume=resume)
    if resume:
        _check_kind(path, field, count)
    try:
        plans = _plans(base, count, of_folds=folds is not None)
    except SeqzooError:
        if not resume:
            _remove_unstarted(path)
        raise
    records = {}
    for number, (item, choices) in enumerate(plans.items(), 1):
        try:
            record, score = _train(
                path / item, choices, quiet=quiet, device=device, print_fn=print_fn
            )
        except Interrupted as interruption:
            hint = command(f"train --resume --run {shlex.quote(str(path))} --{field} {count}")
            raise Interrupted(f"Stopped in {path / item}. To resume: {hint}") from interruption
        except SeqzooError:
            if not resume:
                _remove_unstarted(path)
            raise
        records[item] = record
        print_fn(f"{number}/{count}  {item}: {score}")
    result = _repetition(path, records)
    write_json(path / RESULT, result.to_json())
    return result


def _plans(base: Choices, count: int, *, of_folds: bool) -> dict[str, Choices]:
    """The settings of each training run, by its name.

    Raises:
        SeqzooError: the data cannot be divided into folds, or nothing is held out to score.
    """
    source = base.source
    given = (source.validation, source.test)
    if not of_folds and source.is_file() and source.split_column is None and given == (0, 0):
        raise SeqzooError(NOTHING_HELD_OUT)
    plans = {}
    for number in range(count):
        if of_folds:
            fold = replace(source, fold=f"{number + 1}/{count}")
            plans[f"fold-{number + 1}-of-{count}"] = replace(base, source=fold)
        else:
            seed = base.settings.seed + number
            plans[f"seed-{seed}"] = replace(base, settings=replace(base.settings, seed=seed))
    return plans


def _base(path: pathlib.Path, name: str | None, options: dict[str, Any], *, resume: bool) -> Any:
    """The settings that all training runs share; a new folder is created to store them.

    Raises:
        SeqzooError: the settings in the folder differ, or it has none.
    """
    if not resume:
        base = chosen(name, options).absolute()
        message = f"Settings that all training runs in {path} share."
        text = toml_writer.config(base, message, str(path / REPETITION), "")
        path.mkdir(parents=True, exist_ok=True)
        write_text(path / REPETITION, text)
        return base
    if not (path / REPETITION).exists():
        raise SeqzooError(f"{path} has no repeated training to resume; leave --resume out.")
    stored = read_config(str(path / REPETITION))
    if name is None or name == stored.task.name:
        requested = overridden(stored, options)
    else:
        requested = chosen(name, options)
    stored = with_free_options(stored, requested)
    hint = "resume it with the same settings, or name a new folder with --run"
    for old, new in zip(stored.absolute().parts(), requested.absolute().parts(), strict=True):
        check_same(path, vars(old), vars(new), hint)
    return stored


def _check_kind(path: pathlib.Path, field: str, count: int) -> None:
    """Checks that the training runs in a folder were started with the same option.

    Raises:
        SeqzooError: they were started with the other one, or with a different number of folds,
            which are different folds.
    """
    other, prefix = ("folds", "fold-") if field == "repeat" else ("repeat", "seed-")
    if any(path.glob(f"{prefix}*")):
        raise SeqzooError(
            f"The training runs in {path} were started with --{other}, got --{field}; resume them "
            f"with --{other}, or name a new folder with --run.",
            field=field,
        )
    counts = {item.stem.rpartition("-of-")[2] for item in path.glob("fold-*-of-*")}
    if field == "folds" and counts and str(count) not in counts:
        folds = min(counts)
        raise SeqzooError(
            f"The training runs in {path} were started with --folds {folds}, got {count}; resume "
            f"them with --folds {folds}, or name a new folder with --run.",
            field=field,
        )


def _remove_unstarted(path: pathlib.Path) -> None:
    """Removes a folder in which no training run has started, so that a corrected command can use
    it."""
    if {item.name for item in path.iterdir()} <= {REPETITION, DATA}:
        shutil.rmtree(path)


def _train(
    folder: pathlib.Path,
    choices: Choices,
    *,
    quiet: bool,
    device: str | None,
    print_fn: Callable[[str], Any],
) -> tuple[dict[str, Any], str]:
    """Trains unless the result is stored; returns the result of `Trained.to_json` and its score."""
    file = folder.with_name(f"{folder.name}.json")
    if file.exists():
        record = read_result(file, FINISHED)
        check_types(file, record["metrics"], {_metric(record): float})
        return record, f"{_score(record)}, already trained"
    check_same_data(folder.parent, choices.source)
    if is_run(folder):
        plan = plan_resumed(None, str(folder), {}, device)
    else:
        plan = TrainingPlan(folder, choices)
    trained = run_plan(plan, quiet=quiet, print_fn=print_fn, device=device)
    assert trained is not None  # there is only one worker
    record = trained.to_json()
    if not record["split"]:
        raise SeqzooError(NOTHING_HELD_OUT)
    write_json(file, record)
    return record, _score(record)


def _score(record: dict[str, Any]) -> str:
    metric = _metric(record)
    return f"{metric_name(metric)} {record['metrics'][metric]:.4f}"


def _metric(record: dict[str, Any]) -> str:
    """The metric of the score: that of the task, or the loss if the evaluation lacks it, or it has
    no value, as an error rate of empty texts."""
    return "loss" if record["metrics"].get(record["metric"]) is None else record["metric"]


def _repetition(path: pathlib.Path, records: dict[str, dict[str, Any]]) -> Repetition:
    """The results of all training runs, with the metrics that all of them have."""
    numbers = {
        run: {name: value for name, value in record["metrics"].items() if isinstance(value, float)}
        for run, record in records.items()
    }
    first = next(iter(records.values()))
    shared = [
        name for name in first["metrics"] if all(name in number for number in numbers.values())
    ]
    metric = _metric(first)
    return Repetition(
        path,
        metric,
        first["better"] if metric == first["metric"] else -1,
        first["split"],
        {run: {name: number[name] for name in shared} for run, number in numbers.items()},
    )
