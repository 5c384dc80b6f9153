"""Reads configuration files, with errors that name the line."""

import pathlib
import re
import tomllib
from collections.abc import Callable
from dataclasses import MISSING, asdict, fields
from typing import Any, get_type_hints

from seqzoo.tasks import TEMPLATES
from seqzoo.tasks.errors import SeqzooError, command, nearest
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.zoo.config import field_types
from seqzoo.zoo.config.resolve import Choices
from seqzoo.zoo.data.source import Source, kinds_of

DEEP = re.compile(r"""^[ \t[]*(?:[\w"'-]+[ \t]*\.[ \t]*){20}""", re.MULTILINE)
"""A dotted key of many parts; a.b.c has three."""

TABLES = ("source", "task", "training")
SEARCH = "search"
"""The table with the search space of `seqzoo search`, which training runs ignore."""

MOVED = {"kind": "input", "target_kind": "target", "further_inputs": "further_inputs"}
"""Fields that a source repeats from the task, and their names there; a file has only the task's."""


class _File:
    """A configuration file as text and as data.

    Args:
        path: the file.
    """

    def __init__(self, path: pathlib.Path):
        self.path = path
        try:
            self.text = path.read_text(encoding="utf-8-sig")
            if DEEP.search(self.text):  # tomllib reads such keys in quadratic time and memory
                raise SeqzooError(f"{path} has a dotted key of 20 or more parts.")
            self.data = tomllib.loads(self.text)
        except FileNotFoundError as error:
            raise SeqzooError(
                f"There is no file {path}; `{command('init NAME')}` writes one for a preset or "
                "template."
            ) from error
        except UnicodeDecodeError as error:
            raise SeqzooError(f"{path} is not UTF-8; save it as UTF-8.") from error
        except (ValueError, RecursionError) as error:  # ValueError also for huge numbers
            raise SeqzooError(f"{path} is not valid TOML: {error}.") from error

    def error(self, table: str, name: str, message: str) -> SeqzooError:
        """An error at a key of a table ("" for the top level)."""
        return SeqzooError(message, field=name).at(self.location(table, name))

    def location(self, table: str, name: str) -> str:
        """The location of a key in a table ("" for the top level); if missing, of the table."""
        line = self.line(table, name)
        return f"{self.path}, line {line}" if line else f"{self.path}, [{table}]"

    def line(self, table: str, name: str) -> int | None:
        """The line of a key, counted from 1, or of its table's header; None if it is not found."""
        current, header_line = "", None
        for number, line in enumerate(self.text.split("\n"), 1):
            if match := re.match(r"\s*\[{1,2}\s*([\w.-]+)\s*\]", line):
                current = match[1]
                if current == table:
                    header_line = number
                if current == f"{table}.{name}" or (not table and current == name):
                    return number
            elif current == table and re.match(rf"""\s*["']?{re.escape(name)}["']?\s*[=.]""", line):
                return number
        return header_line


def read_config(path: str) -> Choices:
    """The settings in a file; missing ones have their defaults.

    Args:
        path: a TOML file with `template` and the tables [source], [task] and [training].

    Raises:
        SeqzooError: the file does not exist, is not valid TOML, or has an unknown key or value; the
            message contains the line and the nearest name.
    """
    file = _File(pathlib.Path(path).expanduser())
    known = ("template", *TABLES, SEARCH)
    for name in file.data:
        if name not in known:
            raise file.error(
                "", name, f"there is no {name!r} at the top level{nearest(name, known)}"
            )
    name = file.data.get("template")
    if name is None:
        raise SeqzooError(
            f"{file.path}: `template` is missing; name one of {', '.join(TEMPLATES)}."
        )
    if not isinstance(name, str) or name not in TEMPLATES:
        raise file.error(
            "",
            "template",
            f"`template` must be one of {', '.join(TEMPLATES)}, got {name!r}"
            f"{nearest(str(name), TEMPLATES)}",
        )
    template: Any = TEMPLATES[name]
    task = _create(file, "task", template, _values(file, "task", template))
    _check_cell_options(file, task)
    values = _values(file, "source", Source)
    source = _create(file, "source", Source, {"data": "", **values, **kinds_of(task)})
    values = _values(file, "training", TrainingSettings)
    settings = _create(
        file, "training", TrainingSettings, {**asdict(task.default_settings), **values}
    )
    return Choices(task, settings, source)


def read_search_table(path: str) -> tuple[dict[str, Any], Callable[[str], str]]:
    """The [search] table of a file, and the location of each of its keys.

    Args:
        path: a TOML file, see `read_config`.

    Returns:
        The table, empty if there is none, and a function from a key to "mine.toml, line 7".

    Raises:
        SeqzooError: the file cannot be read, or `search` is not a table.
    """
    file = _File(pathlib.Path(path).expanduser())
    table = file.data.get(SEARCH, {})
    if not isinstance(table, dict):
        raise file.error("", SEARCH, f"`{SEARCH}` must be a table, [{SEARCH}], got {table!r}.")
    return table, lambda name: file.location(SEARCH, name)


def _values(file: _File, table: str, kind: Any) -> dict[str, Any]:
    """The values of a table, converted to the types of their fields."""
    given = file.data.get(table, {})
    if not isinstance(given, dict):
        raise file.error("", table, f"`{table}` must be a table, [{table}], got {given!r}.")
    hints = get_type_hints(kind)
    known = [field.name for field in fields(kind) if kind is not Source or field.name not in MOVED]
    values = {}
    for name, value in given.items():
        if name not in known:
            near = nearest(name, known)
            if kind is Source and name in MOVED:
                near = f"; it is `{MOVED[name]}` in [task]."
            raise file.error(table, name, f"[{table}] has no {name!r}{near}")
        try:
            values[name] = field_types.converted(value, hints[name])
        except field_types.WrongType as error:
            raise file.error(table, name, f"`{name}` {error}") from error
    for field in fields(kind):
        if field.name in known and field.name not in values and table == "task":
            if field_types.default(field) is MISSING:
                hint = field_types.described(hints[field.name])
                raise file.error(table, field.name, f"`{field.name}` is missing: {hint}.")
    return values


def _check_cell_options(file: _File, task: Any) -> None:
    """Checks the options of the cell; the error names the line of the first one it mentions."""
    if not task.cell_options:
        return
    from seqzoo.tasks.layers.recurrent import make_cell  # imports TensorFlow

    try:
        make_cell(task)
    except SeqzooError as error:
        named = (
            name
            for name in task.cell_options
            if re.search(rf"['`]{re.escape(name)}['`]", str(error))
        )
        at = ("task.cell_options", next(named, ""))
        if file.line(*at) is None:  # an inline table
            at = ("task", "cell_options")
        raise error.at(file.location(*at)) from error


def _create(file: _File, table: str, kind: Any, values: dict[str, Any]) -> Any:
    """Creates the dataclass; the error for an invalid value names its line."""
    try:
        return kind(**values)
    except SeqzooError as error:
        raise error.at(file.location(table, error.field)) from error
