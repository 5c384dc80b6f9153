"""Trains from a name and options: plans or resumes a run, trains and evaluates it."""

import contextlib
import itertools
import os
import pathlib
import re
import shlex
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from seqzoo.tasks import TEMPLATES
from seqzoo.tasks.atomic_files import is_working_folder, occupied
from seqzoo.tasks.data.examples import Examples, Splits
from seqzoo.tasks.data.stored_columns import ClassColumn
from seqzoo.tasks.errors import Interrupted, SeqzooError, check_same, command, some_of
from seqzoo.tasks.fine_tuning.templates import required_options
from seqzoo.tasks.kinds import FORECAST
from seqzoo.tasks.runs.layout import CONFIG as RUN_CONFIG
from seqzoo.tasks.runs.layout import MODEL, SCORES
from seqzoo.tasks.settings import FREE_TO_CHANGE
from seqzoo.tasks.startup import start_devices
from seqzoo.tasks.training.clusters import make_strategy
from seqzoo.tasks.wording import counted
from seqzoo.zoo import devices
from seqzoo.zoo.config.command_line import as_options
from seqzoo.zoo.config.resolve import (
    CONFIG,
    Choices,
    check_times,
    chosen,
    chosen_from,
    overridden,
)
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.inference.open_run import find_run
from seqzoo.zoo.output import without_samples
from seqzoo.zoo.presets import PRESETS
from seqzoo.zoo.stopping import set_exit_message

RUNS = pathlib.Path("runs")
"""The folder of the runs that are trained without --run."""

TUNED = "-tuned"
"""Suffix of the folder of a fine-tuned run, after the name of the run that it starts from."""

REPETITION = f"repetition{CONFIG}"
"""The file with the settings that all runs of a repeated training share."""

INFERRED = ("input", "target", "frequency", "decimal_comma", "date_format", "sample_rate")
"""Fields of a source that are inferred from the data if they are not given."""


@dataclass(frozen=True)
class TrainingPlan:
    """A training run to start or resume.

    Attributes:
        folder: the run folder.
        choices: source, template and training settings.
        resume: whether to resume the training run in the folder.
        start: the `seqzoo.tasks.runs.run.Run` that a new training run starts from, or None.
    """

    folder: pathlib.Path
    choices: Choices
    resume: bool = False
    start: Any = None


@dataclass(frozen=True)
class Trained:
    """A finished training run.

    Attributes:
        run: the `seqzoo.tasks.runs.run.Run`.
        split: name of the evaluated split; empty if none was held out.
        examples: the examples of that split; the training examples if none was held out.
        metrics: metrics of that split.
    """

    run: Any
    split: str
    examples: Examples
    metrics: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The output of `seqzoo train --json`.

        Returns: "run", "split", "metric" and "better" (1 if higher is better, else -1),
            "parameters" of the model, "seconds" of each epoch, and "metrics", which are empty if
            nothing was held out.
        """
        run = self.run
        return {
            "run": str(run.folder),
            "split": self.split,
            "metric": run.task.metric,
            "better": run.task.better,
            "parameters": run.model.count_params(),
            "seconds": [row["seconds"] for row in run.history],
            "metrics": without_samples(self.metrics),
        }


def folder_of(
    name: str | None,
    folder: str | None,
    given: dict[str, Any],
    start_from: str | None = None,
    device: str | None = None,
    *,
    resume: bool,
) -> pathlib.Path:
    """The run folder of a training run that is about to begin or to be resumed.

    Args:
        name: see `plan_new`.
        folder: the run folder, or None.
        given: settings that were given.
        start_from: see `plan_new`.
        device: see `plan_new`.
        resume: whether a training run is resumed.

    Raises:
        SeqzooError: see `plan_new` and `plan_resumed`.
    """
    if not resume:
        return plan_new(name, folder, given, start_from, device).folder
    if not folder and name is None and start_from is not None:
        name = _tuned(_open_start(start_from, device))
    if not folder and name is None:
        raise SeqzooError(
            "--resume needs --run DIR, or the name that the training run was started with."
        )
    path = pathlib.Path(folder).expanduser() if folder else _folders(str(name))[0]
    if path is None:
        raise SeqzooError(f"There is no run of {name} in {RUNS} to resume; name it with --run.")
    return path


def plan_new(
    name: str | None,
    folder: str | None,
    given: dict[str, Any],
    start_from: str | None = None,
    device: str | None = None,
    *,
    shared: bool = False,
) -> TrainingPlan:
    """Plans a new training run.

    Args:
        name: the name of a preset or a template, or the path of a configuration file.
        folder: the run folder; None for runs/NAME, with a number appended if that exists.
        given: settings that were given; see `seqzoo.zoo.config.resolve.chosen`.
        start_from: a run, or a preset with a trained model, that training starts from.
        device: see `seqzoo.zoo.devices.choose`.
        shared: whether several workers train, one of which creates the folder.

    Raises:
        SeqzooError: there is no such name, a setting is invalid or missing, or the folder exists
            and is not empty.
    """
    start = None if start_from is None else _open_start(start_from, device)
    choices = chosen(name, given) if start is None else chosen_from(start, name, given)
    choices = choices.absolute()
    if name is None and start is not None:
        name = _tuned(start)
    if shared and not folder:
        raise SeqzooError(
            "--distribute multi-worker needs --run DIR, a folder that all workers share."
        )
    path = pathlib.Path(folder).expanduser() if folder else _folders(str(name))[1]
    if occupied(path) and not shared:
        raise SeqzooError(
            f"{path} already exists; name a new folder with --run, or resume it with --resume."
        )
    if is_working_folder(path):
        raise SeqzooError(f"{path} is the working directory; name a new folder in it with --run.")
    return TrainingPlan(path, choices, start=start)


def _open_start(start_from: str, device: str | None) -> Any:
    """The run that training starts from. Unlike `open_run`, it does not start TensorFlow's devices,
    since a strategy of several workers must be made before."""
    folder = find_run(start_from)
    devices.choose(device)
    from seqzoo.tasks.runs.run import Run

    return Run.open(folder)


def _tuned(start: Any) -> str:
    """The name of a training run that starts from another run and has no name of its own."""
    return f"{start.folder.resolve().name}{TUNED}"


def plan_resumed(
    name: str | None,
    folder: str | None,
    given: dict[str, Any],
    device: str | None = None,
    start_from: str | None = None,
) -> TrainingPlan:
    """Plans to resume a training run with the settings it was started with.

    Args:
        name: the name of the preset, the template or the file; None if `folder` is given.
        folder: the run folder; None for the newest of runs/NAME.
        given: settings that were given; these and those of the file must equal the run's.
        device: see `seqzoo.zoo.devices.choose`.
        start_from: the run that it was started from; None to take it from the run.

    Raises:
        SeqzooError: the run does not exist, or was started with other settings. Data may lie
            elsewhere; training checks that they have the same examples.
    """
    given = _with_size(name, given)
    path = folder_of(name, folder, given, start_from, device, resume=True)
    devices.choose(device)
    from seqzoo.tasks.runs.run import Run
    from seqzoo.tasks.training.trainer import STARTED_FROM, is_start, start_of

    run = Run.open(path)
    if start_from is not None:
        if not is_start(run, find_run(start_from)):
            raise SeqzooError(
                f"{path} was started from {start_of(run) or 'nothing'}, not from {start_from}; "
                "leave out --from to resume it, or start a new run."
            )
    stored = Choices(run.template, run.settings, Source.of_run(run))
    requested = overridden(stored, given)
    # Without a folder, any other name is that of a run in `RUNS`.
    is_known = name in PRESETS or name in TEMPLATES or str(name).endswith(CONFIG)
    if name is not None and (folder or is_known):
        named = chosen(name, given, complete=False)
        _check_problem(path, name, stored.task, named.task)
        if name.endswith(CONFIG):
            requested = _with_inferred(named, stored, given)
            if STARTED_FROM in run.config:  # the run that it started from overrides the file
                names = {*required_options(stored.task), "layers"} - {*given}
                kept = {
                    item: getattr(stored.task, item) for item in names if hasattr(stored.task, item)
                }
                requested = replace(requested, task=replace(requested.task, **kept))
    stored = _moved(with_free_options(stored, requested), requested)
    hint = "resume it with the same settings, or start a new run"
    for old, new in zip(stored.absolute().parts(), requested.absolute().parts(), strict=True):
        check_same(path, vars(old), vars(new), hint)
    return TrainingPlan(path, stored, resume=True)


def _with_size(name: str | None, given: dict[str, Any]) -> dict[str, Any]:
    """Given settings, in which the options of a preset's size replace the size."""
    if "size" not in given:
        return given
    chosen(name, given, complete=False)  # an error unless the name is that of a preset
    preset = PRESETS[str(name)]
    sized = preset.sized(given["size"])
    others = {option: value for option, value in given.items() if option != "size"}
    return {option: getattr(sized, option) for option in preset.small} | others


def with_free_options(stored: Choices, requested: Choices) -> Choices:
    """Stored settings, with the requested values of those on which results do not depend: where
    examples are kept, and how often the state is stored."""
    free = {name: getattr(requested.settings, name) for name in FREE_TO_CHANGE}
    source = replace(stored.source, storage=requested.source.storage)
    return replace(stored, settings=replace(stored.settings, **free), source=source)


def _moved(stored: Choices, requested: Choices) -> Choices:
    """Stored settings, with the requested paths or names of the data, if they are others."""
    places = {}
    for name in ("data", "validation", "test"):
        before, now = getattr(stored.source, name), getattr(requested.source, name)
        if isinstance(before, str) and isinstance(now, str):
            if os.path.abspath(before) != os.path.abspath(now):
                places[name] = now
    return replace(stored, source=replace(stored.source, **places))


def _check_problem(path: pathlib.Path, name: str, stored: Any, named: Any) -> None:
    """Checks that a run has the template and the kinds of the named settings.

    Raises:
        SeqzooError: they differ.
    """
    problem, other = ((task.name, task.input, task.target) for task in (stored, named))
    parts = 1 if name in TEMPLATES else 3  # the name of a template says nothing about kinds
    if problem[:parts] != other[:parts]:
        raise SeqzooError(
            f"{path} was started with {problem[0]} (kind {problem[1]}, target kind {problem[2]}), "
            f"not with {name}; leave out the name to resume it, or start a new run."
        )


def _with_inferred(choices: Choices, stored: Choices, given: Mapping[str, Any]) -> Choices:
    """Settings, with the values that a run inferred from its data, unless they are given."""
    inferred = [*INFERRED, *(["split_column"] if choices.source.is_folder() else [])]
    source = {
        name: getattr(stored.source, name)
        for name in inferred
        if name not in given and getattr(choices.source, name) is None
    }
    task = choices.task
    if task.input == "audio" and "sample_rate" in source:
        task = replace(task, sample_rate=stored.task.sample_rate)
    return replace(choices, task=task, source=replace(choices.source, **source))


def run_plan(
    plan: TrainingPlan,
    *,
    quiet: bool,
    print_fn: Callable[[str], Any] = print,
    device: str | None = None,
    distribute: str | None = None,
    workers: int | None = None,
) -> Trained | None:
    """Trains and evaluates.

    Args:
        plan: the plan from `plan_new` or `plan_resumed`.
        quiet: whether to hide the progress.
        print_fn: called with a sentence about the data.
        device: see `seqzoo.zoo.devices.choose`.
        distribute: see `seqzoo.tasks.training.clusters.make_strategy`; None for one process.
        workers: number of workers; see `make_strategy`.

    Returns:
        The finished training run; None in workers other than the chief, which evaluates.

    Raises:
        SeqzooError: training is not possible with the data or the settings.
        Interrupted: Ctrl-C, after a checkpoint or after the last epoch.
    """
    devices.choose(device)
    strategy = make_strategy(distribute, workers) if distribute else None
    start_devices()
    from seqzoo.tasks.layers.recurrent import make_cell
    from seqzoo.tasks.preprocessing.character_models import check_character_models
    from seqzoo.tasks.preprocessing.word_vectors import check_readable
    from seqzoo.tasks.training.progress import Silent, TerminalProgress
    from seqzoo.tasks.training.trainer import train
    from seqzoo.tasks.training.workers import CONNECTION_ERRORS, Workers
    from seqzoo.zoo.data.open import open_source

    together = Workers(strategy)
    chief = together.chief
    quiet = quiet or not chief
    task, settings, source = plan.choices.parts()
    # Invalid settings should be reported before the data are read.
    make_cell(task)
    if not plan.resume and plan.start is None and getattr(task, "vectors", None):
        check_readable(task.vectors)
    if not plan.resume and plan.start is None:
        check_character_models(getattr(task, "features_from", None))
    check_times(task, source)
    if plan.resume and not quiet:
        print_fn(f"Resuming {plan.folder} with its settings: {as_options(plan.choices)}")
    splits, source = open_source(source)
    if not quiet:
        print_fn(splits.description)
        if note := rare_labels(splits.train.targets, source.target_kind):
            print_fn(note)
        for note in short_splits(splits, task):
            print_fn(note)
    if source.sample_rate:
        task = replace(task, sample_rate=source.sample_rate)
    words = f"train --resume --run {shlex.quote(str(plan.folder))}"
    resume = command(words + together.resume_options)
    set_exit_message(f"Stopped immediately. To resume from the last checkpoint: {resume}")
    try:
        run = train(
            task,
            splits,
            settings,
            plan.folder,
            source=source.to_config(),
            resume=plan.resume,
            progress=Silent() if quiet else TerminalProgress(),
            start_from=plan.start,
            strategy=strategy,
        )
        split, examples = _held_out(splits)
        metrics = run.evaluate(examples, folder=run.folder / SCORES) if chief and split else {}
    except KeyboardInterrupt as interruption:
        if not (plan.folder / MODEL).is_file():
            raise
        raise Interrupted(f"Stopped. To resume: {resume}") from interruption
    # A worker that ended while the chief evaluates would look as if it had been lost.
    with contextlib.suppress(*CONNECTION_ERRORS):
        together.wait()
    if not chief:
        return None
    return Trained(run, split, examples, metrics)


def short_splits(splits: Splits, template: Any) -> list[str]:
    """Notes on held-out splits of histories that are shorter than a forecast."""
    notes = []
    for name in ("validation", "test") if template.name == FORECAST else ():
        part = getattr(splits, name)
        steps = max(item.end - item.since for item in part.inputs) if part else template.horizon
        if steps < template.horizon:
            notes.append(
                f"The {name} split has {counted(steps, 'step')}, so later steps of a forecast of "
                f"{template.horizon:,} are not scored."
            )
    return notes


def rare_labels(targets: Any, target_kind: str) -> str:
    """A note on labels with a single training example; empty if there are none."""
    if target_kind not in ("class", "labels") or targets is None:
        return ""
    if isinstance(targets, ClassColumn):
        counts = targets.counts()
    else:
        groups = ([target] if isinstance(target, str) else target for target in targets)
        counts = Counter(itertools.chain.from_iterable(groups))
    rare = sorted(str(label) for label, count in counts.items() if count == 1)
    if not rare:
        return ""
    return (
        f"Labels with a single training example: {len(rare):,} of {len(counts):,} "
        f"({some_of(rare)}); add examples, or merge them with other labels."
    )


def _folders(name: str) -> tuple[pathlib.Path | None, pathlib.Path]:
    """The newest of the folders runs/NAME, runs/NAME-2, ... that exist, and the first that does
    not. For a configuration file, NAME is the name of the file without folder and extension."""
    name = pathlib.Path(name).stem if name.endswith(CONFIG) else name
    pattern = re.compile(re.escape(name) + r"(?:-(\d+))?")
    existing = {
        int(match[1] or 1): path
        for path in (RUNS.iterdir() if RUNS.is_dir() else ())
        if (match := pattern.fullmatch(path.name))
    }

    def created(number: int) -> tuple[float, int]:
        files = (existing[number] / file for file in (RUN_CONFIG, REPETITION))
        return max((file.stat().st_mtime for file in files if file.exists()), default=0.0), number

    newest = existing[max(existing, key=created)] if existing else None
    free = next(number for number in itertools.count(1) if number not in existing)
    return newest, RUNS / (name if free == 1 else f"{name}-{free}")


def _held_out(splits: Splits) -> tuple[str, Examples]:
    if splits.test:
        return "test", splits.test
    if splits.validation:
        return "validation", splits.validation
    return "", splits.train
