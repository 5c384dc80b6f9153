"""Settings as command-line options."""

import shlex
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, get_origin

from seqzoo.tasks.fields import Named, hints_of, note, plain
from seqzoo.zoo.config.field_types import NONE, default
from seqzoo.zoo.config.options import TASK_NAMES, option_of
from seqzoo.zoo.config.resolve import Choices


def as_options(choices: Choices) -> str:
    """The options of a training run that differ from the defaults of its template, as typed:
    "--data reviews.csv --kind words --units 64"."""
    task, settings, source = choices.parts()
    words: list[str] = []
    for item, usual in ((source, None), (task, None), (settings, task.default_settings)):
        for field in fields(item):
            name, value = field.name, getattr(item, field.name)
            before = default(field) if usual is None else getattr(usual, name)
            given_by_source = item is source and name in ("kind", "target_kind")
            required = item is task and name in TASK_NAMES and before is MISSING
            if given_by_source or (value == before and not required):
                continue
            option = option_of(type(item), name)
            if option:
                words += _typed(type(item), name, option, value)
    return shlex.join(words)


def _typed(kind: type, name: str, option: str, value: Any) -> list[str]:
    """One setting as words of a command."""
    if isinstance(value, bool):
        if value:
            return [option]
        named = note(hints_of(kind)[name], Named) or Named()
        return [f"--{named.off or f'no-{option[2:]}'}"]
    if isinstance(value, Mapping):
        pairs = [f"{key}={item}" for key, item in value.items()]
        if get_origin(plain(hints_of(kind)[name])) is Mapping:  # its option is repeatable
            return [word for pair in pairs for word in (option, pair)]
        return [option, ",".join(pairs)]
    if isinstance(value, list | tuple):
        return [option, ",".join(map(str, value))]
    return [option, NONE if value is None else str(value)]
