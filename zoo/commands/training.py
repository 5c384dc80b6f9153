"""`seqzoo train`: from what was typed to a trained run and a report of it."""

import pathlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from seqzoo.tasks import TEMPLATES
from seqzoo.tasks.errors import SeqzooError, nearest
from seqzoo.tasks.examples import Examples, Splits
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.tasks.startup import start_devices, start_tensorflow
from seqzoo.zoo.presets import PRESETS
from seqzoo.zoo.source import Source

RUNS = pathlib.Path("runs")


@dataclass(frozen=True)
class Plan:
    """All that a training needs.

    Attributes:
        folder: the run folder.
        task: the `Template` with its choices.
        settings: how to train it.
        source: where the examples come from.
        resume: whether the folder's training goes on.
    """

    folder: pathlib.Path
    task: Any
    settings: TrainingSettings
    source: Source
    resume: bool = False


@dataclass(frozen=True)
class Trained:
    """A training that ended.

    Attributes:
        run: the `seqzoo.tasks.run.Run`.
        split: name of the split that it was scored on; empty where none was held out.
        examples: of that split, or of the training.
        figures: of that split.
    """

    run: Any
    split: str
    examples: Examples
    figures: dict[str, Any]


def planned(name: str | None, folder: str | None, given: dict[str, Any]) -> Plan:
    """A new training.

    Args:
        name: of a preset or a template.
        folder: the run folder; None for runs/NAME, with a number where that exists.
        given: choices of source, task and training that were typed; `input` and `target` are
            columns, `kind` and `target_kind` what the task calls input and target.

    Raises:
        SeqzooError: there is no such name, or a choice is wrong or missing.
    """
    known = [*PRESETS, *TEMPLATES]
    if name is None:
        raise SeqzooError(f"Name a preset or a template to train: {', '.join(known)}.")
    if name in PRESETS:
        preset = PRESETS[name]
        task, settings, source = preset.task, preset.training, preset.source
    elif name in TEMPLATES:
        for option in ("data", "kind"):
            if option not in given:
                raise SeqzooError(f"{name} needs --{option}; see `seqzoo train --help`.")
        # Choices may fit each other only together: those of the task are made in one.
        task: Any = TEMPLATES[name](**_of(TEMPLATES[name], given, TASK_NAMES))
        settings = TrainingSettings()
        source = Source(given["data"], given["kind"], task.target)
    else:
        raise SeqzooError(
            f"There is no preset or template {name!r} (there are {', '.join(known)})"
            f"{nearest(name, known)}"
        )
    if not source.data and "data" not in given:
        raise SeqzooError(f"{name} needs --data: {PRESETS[name].needs}.")
    path = pathlib.Path(folder).expanduser() if folder else _runs(name)[1]
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise SeqzooError(
            f"{path} exists already; name a new folder by --run, or go on with --resume."
        )
    return _override(Plan(path, task, settings, source), given)


def resumed(name: str | None, folder: str | None, given: dict[str, Any]) -> Plan:
    """A training that goes on, with the choices it was begun with.

    Args:
        name: of the preset or template; None where `folder` is named.
        folder: the run folder; None for the last one of runs/NAME.
        given: choices that were typed; they must not differ from the run's.

    Raises:
        SeqzooError: there is no such run, or it was begun with other choices.
    """
    if not folder and name is None:
        raise SeqzooError("--resume needs --run DIR, or the name that the training was begun with.")
    path = pathlib.Path(folder).expanduser() if folder else _runs(str(name))[0]
    if path is None:
        raise SeqzooError(f"There is no run of {name} in {RUNS} to go on with; name it by --run.")
    start_tensorflow()
    from seqzoo.tasks.run import Run

    run = Run.open(path)
    source = Source.of_run(run)
    begun = Plan(path, run.task, run.settings, source, resume=True)  # pyright: ignore
    wanted = _override(begun, given)
    wanted = replace(wanted, source=wanted.source.absolute())
    for old, new in zip(_parts(begun), _parts(wanted), strict=True):
        for field in fields(old):
            before, after = getattr(old, field.name), getattr(new, field.name)
            if before != after:
                raise SeqzooError(
                    f"{path} was begun with {field.name}={before!r}, got {after!r}; go on with the "
                    f"same choices, or begin a new run."
                )
    return begun


def execute(plan: Plan, *, quiet: bool, say: Callable[[str], Any] = print) -> Trained:
    """Trains and scores.

    Args:
        plan: from `planned` or `resumed`.
        quiet: whether nothing is shown meanwhile.
        say: hears a sentence on the data.

    Raises:
        SeqzooError: data or choices that cannot be trained on.
        Interrupted: Ctrl-C, after a checkpoint.
    """
    start_devices()
    from seqzoo.tasks.networks import make_cell
    from seqzoo.tasks.progress import Silent, TerminalProgress
    from seqzoo.tasks.training import train
    from seqzoo.zoo.sources import open_source

    make_cell(plan.task)  # a mistake in its choices should not wait for the data
    splits, source = open_source(plan.source)
    if not quiet:
        say(splits.description)
    task = plan.task
    if source.sample_rate:
        task = replace(task, sample_rate=source.sample_rate)
    run = train(
        task,
        splits,
        plan.settings,
        plan.folder,
        source=source.to_config(),
        resume=plan.resume,
        progress=Silent() if quiet else TerminalProgress(),
    )
    split, examples = _held_out(splits)
    figures = run.evaluate(examples, folder=run.folder / "scores") if split else {}
    return Trained(run, split, examples, figures)


def _runs(name: str) -> tuple[pathlib.Path | None, pathlib.Path]:
    """The last folder runs/NAME or runs/NAME-2, ... that exists, and the next one that does not."""
    pattern = re.compile(re.escape(name) + r"(?:-(\d+))?")
    numbers = [
        int(match[1] or 1)
        for path in (RUNS.iterdir() if RUNS.is_dir() else ())
        if (match := pattern.fullmatch(path.name))
    ]

    def folder(number: int) -> pathlib.Path:
        return RUNS / (name if number == 1 else f"{name}-{number}")

    last = max(numbers, default=0)
    return folder(last) if last else None, folder(last + 1)


def _override(plan: Plan, given: dict[str, Any]) -> Plan:
    """The plan with what was typed."""

    task = _of(plan.task, given, TASK_NAMES)
    settings = _of(plan.settings, given)
    source = _of(plan.source, given)
    source.pop("seed", None)  # other weights, the same splits
    for name in given.keys() - {"kind", "target_kind"} - task.keys() - settings.keys():
        if name not in source:
            option = "--" + name.replace("_", "-").removesuffix("s" * (name == "cell_options"))
            raise SeqzooError(f"{plan.task.name} has no choice {option}; see its documentation.")
    return replace(
        plan,
        task=replace(plan.task, **task),
        settings=replace(plan.settings, **settings),
        source=replace(plan.source, **source),
    )


TASK_NAMES = {"input": "kind", "target": "target_kind"}
"""Fields of templates that are typed otherwise, since --input and --target name columns."""


def _of(choices: Any, given: dict[str, Any], names: Mapping[str, str] = {}) -> dict[str, Any]:
    """What was typed of a dataclass's fields."""
    typed = {field.name: names.get(field.name, field.name) for field in fields(choices)}
    return {name: given[own] for name, own in typed.items() if own in given}


def _parts(plan: Plan) -> tuple[Any, TrainingSettings, Source]:
    return plan.task, plan.settings, plan.source


def _held_out(splits: Splits) -> tuple[str, Examples]:
    if splits.test:
        return "test", splits.test
    if splits.validation:
        return "validation", splits.validation
    return "", splits.train
