"""Resolves a name and options to a template, training settings and a source."""

import os
import pathlib
import shlex
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, replace
from typing import Any, get_args, get_type_hints

from seqzoo.tasks import TEMPLATES
from seqzoo.tasks.errors import SeqzooError, command, nearest_of
from seqzoo.tasks.fine_tuning.templates import matching_template
from seqzoo.tasks.printable import quoted_path
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.zoo.config.options import TASK_NAMES, task_options
from seqzoo.zoo.data.source import Source, input_columns, kinds_of
from seqzoo.zoo.presets import PRESETS

CONFIG = ".toml"
"""Extension of configuration files."""

PATHS = ("vectors", "features_from", "encoder_weights")
"""Options of templates that may be paths; they may also be names."""


@dataclass(frozen=True)
class Choices:
    """The complete settings of a training run, except for its folder.

    Attributes:
        task: the `Template` with its options.
        settings: the training settings.
        source: the source of the examples.
    """

    task: Any
    settings: TrainingSettings
    source: Source

    def parts(self) -> tuple[Any, TrainingSettings, Source]:
        """The three dataclasses."""
        return self.task, self.settings, self.source

    def absolute(self) -> "Choices":
        """The same settings with absolute paths of existing files and folders."""
        paths = {name: getattr(self.task, name, None) for name in PATHS if hasattr(self.task, name)}
        task = replace(self.task, **_with_absolute_paths(paths))
        return replace(self, task=task, source=self.source.absolute())


def _with_absolute_paths(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a template with absolute paths of existing files and folders."""
    results = dict(options)
    for name in PATHS:
        value = results.get(name)
        if isinstance(value, str):
            results[name] = _absolute(value)
        elif value:
            results[name] = type(value)(map(_absolute, value))
    return results


def chosen(name: str | None, given: dict[str, Any], *, complete: bool = True) -> Choices:
    """The settings of a preset, a template or a file, overridden by the given options.

    Args:
        name: a preset, a template, or the path of a configuration file.
        given: the given options of source, task and training; `input` and `target` are columns,
            `kind` and `target_kind` are the task's input and target.
        complete: whether everything that a training run needs must be present.

    Raises:
        SeqzooError: the name does not exist, or an option is invalid or missing.
    """
    known = [*PRESETS, *TEMPLATES]
    given = dict(given)
    size = given.pop("size", None)
    if size is not None and name not in PRESETS:
        raise _size_without_preset(name)
    if name is None:
        raise SeqzooError(f"Name a preset or a template to train: {', '.join(known)}.")
    choices: Any
    if name.endswith(CONFIG):
        from seqzoo.zoo.config.toml_reader import read_config

        choices = read_config(name)
    elif name in PRESETS:
        preset = PRESETS[name]
        choices = Choices(preset.sized(size or "base"), preset.training, preset.source)
    elif name in TEMPLATES:
        choices = _of_template(name, given, complete)
    elif pathlib.Path(name).exists():
        raise SeqzooError(
            f"{name} is a file or folder, not a preset or template; to train on it, name a "
            f"template ({', '.join(TEMPLATES)}) and pass --data {shlex.quote(name)}; check it with "
            f"`{command(f'check {quoted_path(name)}')}`."
        )
    else:
        raise SeqzooError(f"There is no preset or template {name!r}{nearest_of(name, known)}")
    if complete and not (choices.source.data or given.get("data")):
        raise SeqzooError(f"{name} needs --data: {needs(name)}.")
    return overridden(choices, given)


def chosen_from(run: Any, name: str | None, given: dict[str, Any]) -> Choices:
    """The settings of a training run that starts from the weights of another run.

    Args:
        run: the `seqzoo.tasks.runs.run.Run`.
        name: a preset, a template or a configuration file; None for the template, the settings and,
            unless `data` is given, the data of the run.
        given: see `chosen`.

    Raises:
        SeqzooError: the name does not exist, an option is invalid or missing, or an option
            that must match the run has a different value.
    """
    given, base = dict(given), None
    if name is not None and name not in TEMPLATES:
        sized = {item: given.pop(item) for item in ("size",) if item in given}
        base = chosen(name, sized, complete=False)
    elif "size" in given:
        raise _size_without_preset(name)
    kind = base.task if base else TEMPLATES[name] if name else type(run.template)
    options = _with_absolute_paths(_of(kind, given, TASK_NAMES))  # as those of the run are
    task = matching_template(run.template, kind, **options)
    if base is not None:
        source = base.source
    elif "data" in given or name is not None:
        source = Source("", **kinds_of(task))  # the columns of other data have other names
    else:
        source = Source.of_run(run)
    if not (source.data or given.get("data")):
        raise SeqzooError(f"{name} needs --data: {needs(str(name))}.")
    source = replace(source, **kinds_of(task))
    settings = base.settings if base else task.default_settings
    if name is None:
        settings = _inherited(run.settings, task)
    return overridden(Choices(task, settings, source), given)


def _inherited(settings: TrainingSettings, task: Any) -> TrainingSettings:
    """The settings of the run that training starts from, without those that do not apply to a new
    one: its initialisation, its frozen layers, and what is for another target."""
    target = getattr(task, "target", None)
    unset: dict[str, Any] = {"freeze": None, "initialization": None}
    if target not in ("class", "tags"):
        unset["class_weight"] = None
    if target not in ("class", "labels", "tags"):
        unset |= {"calibrate": False, "focal": TrainingSettings.focal}
    return replace(settings, **unset)


def _absolute(path: str) -> str:
    """The absolute path of an existing file or folder; any other text unchanged."""
    expanded = os.path.expanduser(path)
    return os.path.abspath(expanded) if os.path.exists(expanded) else path


def _size_without_preset(name: str | None) -> SeqzooError:
    got = "" if name is None else f", got {name}"
    return SeqzooError(f"--size applies only to presets{got}; name one of {', '.join(PRESETS)}.")


def needs(name: str) -> str:
    """A description of the --data that a preset, a template or a file without data needs."""
    preset_needs = PRESETS[name].needs if name in PRESETS else ""
    return preset_needs or f"a data set or a file; see `{command('train --help')}`"


def overridden(choices: Choices, given: dict[str, Any]) -> Choices:
    """Settings overridden by the given options.

    Raises:
        SeqzooError: the template has no such option, or its value is out of range.
    """
    kind = given.get("kind", choices.task.input)
    given = input_columns(given, kind, choices.source.series_column)
    task = _of(choices.task, given, TASK_NAMES)
    settings = _of(choices.settings, given)
    source = _of(choices.source, given)
    source.pop("seed", None)  # a different seed changes the weights, not the splits
    for name in given.keys() - {"kind", "target_kind"} - task.keys() - settings.keys():
        if name not in source:
            known = task_options().get(name)
            option = known.flags.partition("/")[0] if known else f"--{name.replace('_', '-')}"
            raise SeqzooError(f"{choices.task.name} has no option {option}.")
    return Choices(
        replace(choices.task, **task),
        replace(choices.settings, **settings),
        replace(choices.source, **source),
    )


def check_times(task: Any, source: Source) -> None:
    """Checks that a time column is named if and only if the cell is time-aware.

    Raises:
        SeqzooError: the cell is time-aware but no time column is named, or vice versa.
    """
    from seqzoo.tasks.layers.recurrent import takes_time

    if takes_time(task.cell) and source.time_column is None:
        raise SeqzooError(
            f"The cell {task.cell!r} needs the time of each step, got none; name the time column "
            "with --time-column.",
            field="time_column",
        )
    if source.time_column is not None and not takes_time(task.cell):
        from seqzoo.cells import CELLS

        known = ", ".join(name for name in CELLS if takes_time(name))
        raise SeqzooError(
            f"`time_column` applies only to time-aware cells ({known}), got cell {task.cell!r}.",
            field="time_column",
        )


def _of_template(name: str, given: dict[str, Any], complete: bool) -> Choices:
    template: Any = TEMPLATES[name]
    if complete:
        for option in ("data", "kind"):
            if option == "kind" and len(get_args(get_type_hints(template)["input"])) == 1:
                continue  # there is nothing to choose
            if option not in given:
                raise SeqzooError(f"{name} needs --{option}; see `{command('train --help')}`.")
    given = input_columns(given, given.get("kind"))
    # All options of the task are set at once, because some are valid only together.
    typed = _of(template, given, TASK_NAMES)
    if "input" not in typed and _has_no_default(template, "input"):
        typed["input"] = get_args(get_type_hints(template)["input"])[0]
    task = template(**typed)
    source = Source(given.get("data", ""), **kinds_of(task))
    return Choices(task, task.default_settings, source)


def _has_no_default(kind: Any, name: str) -> bool:
    return any(field.name == name and field.default is MISSING for field in fields(kind))


def _of(choices: Any, given: dict[str, Any], names: Mapping[str, str] = {}) -> dict[str, Any]:
    """The given options that are fields of a dataclass."""
    typed = {field.name: names.get(field.name, field.name) for field in fields(choices)}
    return {name: given[value] for name, value in typed.items() if value in given}
