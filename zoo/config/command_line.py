"""Settings as command-line options."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, get_origin

from seqzoo.tasks.data.column_names import join_names
from seqzoo.tasks.fields import Named, hints_of, note, plain
from seqzoo.zoo.config.field_types import NONE, default
from seqzoo.zoo.config.options import TASK_NAMES, option_of
from seqzoo.zoo.config.resolve import Choices


def as_options(choices: Choices) -> str:
    """The settings of a training run that differ from the defaults of its template, as typed in a
    command: "--data reviews.csv --kind words --units 64"."""
    task, settings, source = choices.parts()
    arguments: list[str] = []
    for part, defaults in ((source, None), (task, None), (settings, task.default_settings)):
        for field in fields(part):
            name, value = field.name, getattr(part, field.name)
            usual = default(field) if defaults is None else getattr(defaults, name)
            repeats_task = part is source and name in ("kind", "target_kind")
            required = part is task and name in TASK_NAMES
            if repeats_task or (value == usual and not required):
                continue
            option = option_of(type(part), name)
            if option and part is source and name == "input" and source.has_steps_in_rows:
                arguments += [option, str(value)]  # several columns
            elif option:
                arguments += _typed(type(part), name, option, value)
    return shlex.join(arguments)


def _typed(kind: type, name: str, option: str, value: Any) -> list[str]:
    """One setting as command-line arguments."""
    if isinstance(value, bool):
        if value:
            return [option]
        named = note(hints_of(kind)[name], Named) or Named()
        return [f"--{named.off or f'no-{option[2:]}'}"]
    if isinstance(value, Mapping):
        if get_origin(plain(hints_of(kind)[name])) is Mapping:  # its option is repeatable
            pairs = [f"{key}={_named_value(item)}" for key, item in value.items()]
            return [word for pair in pairs for word in (option, pair)]
        if any("," in key or "=" in key for key in value):
            return [option, json.dumps(dict(value), ensure_ascii=False)]
        return [option, ",".join(f"{key}={item}" for key, item in value.items())]
    if isinstance(value, list | tuple):
        return [option, join_names(map(str, value))]
    if name == "input" and isinstance(value, str):
        return [option, join_names([value])]
    return [option, NONE if value is None else str(value)]


def _named_value(value: Any) -> str:
    """A value after "NAME=", which is read as JSON or, if it is not valid JSON, as text."""
    if isinstance(value, str):
        try:
            json.loads(value)
        except ValueError:
            return value
    return json.dumps(value, ensure_ascii=False)
