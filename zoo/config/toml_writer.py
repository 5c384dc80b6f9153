"""Writes the settings of a training run to a TOML file, with a comment for each."""

import json
import pathlib
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, asdict, fields
from typing import Any

from seqzoo.tasks import TEMPLATES
from seqzoo.tasks.atomic_files import read_json, write_text
from seqzoo.tasks.errors import SeqzooError, command
from seqzoo.tasks.fields import hints_of
from seqzoo.tasks.printable import quoted_path
from seqzoo.tasks.runs import layout
from seqzoo.tasks.runs.layout import is_run
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.zoo.config import docstrings, field_types
from seqzoo.zoo.config.resolve import CONFIG, Choices, chosen, needs, overridden
from seqzoo.zoo.config.toml_reader import read_search_table
from seqzoo.zoo.data.source import Source, kinds_of
from seqzoo.zoo.presets import PRESETS

TITLES = {
    "source": "Where the examples come from.",
    "task": "Settings of the template.",
    "training": "Settings of the training run.",
}
DERIVED = ("kind", "target_kind", "further_inputs")
"""Fields of a source that are not written, because they repeat those of the task."""


def init(name: str, output: str | None, given: dict[str, Any], *, force: bool) -> str:
    """Writes the settings of a preset, a template, a file or a run to a file.

    Args:
        name: a preset, a template, the path of a file, or a run folder.
        output: the file; "-" to write none; None for NAME.toml.
        given: the given options; see `seqzoo.zoo.config.resolve.chosen`.
        force: whether to replace an existing file.

    Returns:
        The path of the file, or its contents if `output` is "-".

    Raises:
        SeqzooError: the name does not exist, an option is invalid, or the file exists.
    """
    if is_run(name):
        choices = overridden(of_run(pathlib.Path(name)), given)
        origin = f"From the run {name}."
    else:
        choices = chosen(name, given, complete=False)
        preset = PRESETS.get(name)
        origin = f"From the preset {name}: {preset.description}." if preset else f"From {name}."
    space = read_search_table(name)[0] if pathlib.Path(name).suffix == CONFIG else {}
    further = search_table(space) if space else ""
    path = pathlib.Path(output or pathlib.Path(name).name.removesuffix(CONFIG) + CONFIG)
    path = path.expanduser()
    if output == "-":
        return config(choices, origin, "FILE", needs(name)) + further
    if path.suffix != CONFIG:
        raise SeqzooError(f"--output must end in {CONFIG}, got {output!r}.")
    if path.exists() and not force:
        raise SeqzooError(
            f"{path} already exists; name another file with --output, or add --force."
        )
    text = config(choices, origin, quoted_path(path), needs(name)) + further
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)
    return str(path)


def of_run(folder: pathlib.Path) -> Choices:
    """The settings of a run, without opening its model.

    Raises:
        SeqzooError: its config.json is damaged, or from a newer version.
    """
    stored = read_json(folder / layout.CONFIG)
    try:
        task = TEMPLATES[stored["template"]].from_config(stored["task"])
        settings = TrainingSettings(**stored["training"])
        source = Source(**(stored["source"] or {"data": "", **kinds_of(task)}))
    except (KeyError, TypeError) as error:
        raise SeqzooError(f"{folder / layout.CONFIG} is damaged: {error!r}.") from error
    return Choices(task, settings, source)


def config(choices: Choices, origin: str, path: str, data: str) -> str:
    """A configuration file, which `seqzoo.zoo.config.toml_reader.read_config` reads.

    Args:
        choices: the settings.
        origin: a sentence about their origin.
        path: path of the file, for the command in it.
        data: a description of the data that `data` must name, if it is not set.

    Raises:
        SeqzooError: an option of the cell is None or not Unicode, which TOML cannot represent.
    """
    task, settings, source = choices.parts()
    lines = [
        *_comment(f"{origin} To train with these settings: {command(f'train {path}')}"),
        *_comment(
            "Options of the command override the settings here. A setting that is left out has "
            "its default; paths are relative to the folder that the command is run in."
        ),
        "",
        *_comment(docstrings.summary(type(task))),
        f"template = {_value(task.name)}",
    ]
    for name, part in (("source", source), ("task", task), ("training", settings)):
        lines += ["", "", f"# {TITLES[name]}", f"[{name}]"]
        if part is source and not source.data:
            lines += ["", *_comment(f"Fill in `data`: {data}.")]
        lines += _table(name, part, asdict(task.default_settings) if part is settings else {})
    return "\n".join(lines) + "\n"


def search_table(space: Mapping[str, Any]) -> str:
    """The [search] table of a configuration file.

    Args:
        space: ranges and choices by option name, as `seqzoo.zoo.config.toml_reader` reads them.
    """
    lines = [
        "",
        "",
        "# The search space of `seqzoo search`: ranges and lists of choices.",
        "[search]",
    ]
    lines += [
        f"{'.'.join(map(_key, name.split('.', 1)))} = {_value(value)}"
        for name, value in space.items()
    ]
    return "\n".join(lines) + "\n"


def _table(table: str, part: Any, defaults: Mapping[str, Any]) -> Iterator[str]:
    """The lines of a dataclass's fields; nested tables come last.

    Args:
        table: its name.
        part: the dataclass.
        defaults: defaults that differ from those of the dataclass, by field.
    """
    hints, texts = hints_of(type(part)), docstrings.choices(type(part))
    tables = []
    for field in fields(part):
        if isinstance(part, Source) and field.name in DERIVED:
            continue
        value, hint = getattr(part, field.name), hints[field.name]
        default = defaults.get(field.name, field_types.default(field))
        if isinstance(value, Mapping):
            tables.append((field.name, value, texts[field.name]))
            continue
        about = field_types.described(hint)
        if default is not MISSING and default is not None:
            about += f"; default {_value(default)}"
        text = texts[field.name]
        if field_types.takes_none(hint):
            text = re.sub(r"\bNone\b", f'"{field_types.NONE}"', text)
        else:
            text = re.sub(r"\bNone\b", "left out", re.sub(r"(^|[.] )None\b", r"\1Left out", text))
        yield ""
        yield from _comment(f"{field.name}: {text} ({about})")
        if value is not None:
            yield f"{field.name} = {_value(value)}"
        elif default is None:
            yield f"# {field.name} ="
        else:
            yield f"{field.name} = {_value(field_types.NONE)}"
    for name, values, text in tables:
        mark = "" if values else "# "
        yield ""
        yield from _comment(f"{name}: {text}")
        yield f"{mark}[{table}.{name}]"
        yield from (f"{_key(key)} = {_value(value)}" for key, value in values.items())
        if not values:
            yield "# name = value"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(
        text,
        98,
        initial_indent="# ",
        subsequent_indent="# ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _value(name)


def _value(value: Any) -> str:
    """A value in TOML.

    Raises:
        SeqzooError: TOML cannot represent the value.
    """
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as error:
            raise SeqzooError(f"{value!a} is not Unicode text; TOML cannot contain it.") from error
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + "}"
    raise SeqzooError(f"A configuration file cannot represent {value!r}; give it as an option.")
