"""Options that commands share, one decorator per subject, generated from the fields of settings.

An option that is not given is None: the preset, the template or the run then decides.
"""

import functools
import json
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, get_args, get_origin

import click

from seqzoo.tasks.data.column_names import split_names
from seqzoo.tasks.errors import command, nearest
from seqzoo.tasks.fields import Range
from seqzoo.tasks.settings import BALANCED
from seqzoo.zoo.commands import completers
from seqzoo.zoo.config.field_types import NONE
from seqzoo.zoo.config.options import (
    Option,
    decoding_options,
    serving_options,
    source_options,
    task_options,
    training_options,
)
from seqzoo.zoo.presets import Size

NO_VALUE: Any = object()
"""What click passes for a typed "none"; `given` turns it into None."""


PATHS = frozenset(
    {"attention_file", "data", "data_dir", "encoder_weights", "html", "input_file"}
    | {"language_model", "output", "plot", "report", "run", "start_from", "vectors"}
)
"""The options, by name, whose value is a path, and so not empty."""

WRITTEN = frozenset({"attention_file", "html", "output", "plot", "report", "run"})
"""Those that name a file or a folder to write."""


def check_paths(command: click.Command) -> click.Command:
    """A command whose options for paths must not be empty, as they are in a script with a variable
    that is not set; those for files to write must be in UTF-8."""
    for param in command.params:
        if isinstance(param, click.Option) and param.name in PATHS and param.callback is None:
            param.callback = in_utf_8 if param.name in WRITTEN else _not_empty
    return command


def _not_empty(_: click.Context, __: click.Parameter, text: str | None) -> str | None:
    if text == "":
        raise click.BadParameter("must not be empty; leave it out for the default.")
    return text


def in_utf_8(context: click.Context, param: click.Parameter, text: str | None) -> str | None:
    """The path of a file or a folder to write, which is in UTF-8: TensorFlow and onnxruntime write
    or read no others, and files of settings cannot contain them."""
    if text and re.search("[\ud800-\udfff]", text):
        raise click.BadParameter("must be a path in UTF-8.")
    return _not_empty(context, param, text) if isinstance(param, click.Option) else text


class OneOf(click.Choice):
    """A choice of names; the error for an unknown name suggests the nearest one.

    Args:
        names: the names.
        takes_none: whether "none" may be typed for None.
    """

    def __init__(self, names: Iterable[str], *, takes_none: bool = False):
        super().__init__([*names])
        self.takes_none = takes_none

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if self.takes_none and value == NONE:
            return NO_VALUE
        if value not in self.choices:
            known = ", ".join(self.choices)
            self.fail(f"must be one of {known}, got {value!r}{nearest(value, self.choices)}")
        return super().convert(value, param, ctx)


class Whole(click.ParamType):
    """A whole number within a range; its errors are worded like those of settings.

    Args:
        minimum: smallest number allowed.
        maximum: largest number allowed; None for no limit.
    """

    name = "integer"

    def __init__(self, minimum: int, maximum: int | None = None):
        self.range = Range(minimum=minimum, maximum=maximum)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            number = int(value)
        except ValueError:
            self.fail(f"must be a whole number, got {value!r}.", param, ctx)
        if number not in self.range:
            self.fail(f"must be {self.range}, got {number}.", param, ctx)
        return number


class Grouped(click.Option):
    """An option that the help shows under the heading of its subject."""

    def __init__(self, *args: Any, subject: str, **settings: Any):
        super().__init__(*args, **settings)
        self.subject = subject


class Command(click.Command):
    """A command whose help shows shared options by subject, followed by the command's own."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        subjects: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and isinstance(param, click.Option):
                subject = f"{param.subject} options" if isinstance(param, Grouped) else "Options"
                subjects.setdefault(subject, []).append(record)
        ungrouped = subjects.pop("Options", [])
        for subject, records in (*subjects.items(), ("Options", ungrouped)):
            with formatter.section(subject):
                formatter.write_dl(records)


class TextsCommand(Command):
    """A command that takes texts; its error for a text that begins with "-" says what to do."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        typed = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            message = error.format_message()
            text = next((item for item in typed if item.startswith(error.option_name)), "-...")
            raise click.UsageError(
                f"{message} Put -- before a text that begins with -, as in "
                f"`{command(str(ctx.info_name))} RUN -- {shlex.quote(text)}`.",
                ctx,
            ) from error


class OrNone(click.ParamType):
    """A number, or "none"."""

    def __init__(self, number_type: click.ParamType):
        self.number_type = number_type
        self.name = number_type.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return NO_VALUE if value == NONE else self.number_type.convert(value, param, ctx)


def _number_or_text(_: click.Context, __: click.Parameter, text: str | None) -> float | str | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return text


def names(_: click.Context, __: click.Parameter, text: str | None) -> list[str] | None:
    """Splits comma-separated names; None for an option that is not given."""
    return None if text is None else split_names(text)


def _whole_numbers(_: click.Context, __: click.Parameter, text: str | None) -> Any:
    if text == "none":
        return ()
    try:
        return None if text is None else tuple(int(part) for part in text.split(","))
    except ValueError:
        raise click.BadParameter(f"must be whole numbers such as 32,64, got {text!r}.") from None


def _numbers(_: click.Context, __: click.Parameter, text: str | None) -> Any:
    try:
        return None if text is None else tuple(float(part) for part in text.split(","))
    except ValueError:
        raise click.BadParameter(f"must be numbers such as 0.1,0.5,0.9, got {text!r}.") from None


PYTHON_NAMES = {"True": "true", "False": "false"}
"""Python's spellings of JSON values."""


def _named_values(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> dict | None:
    values = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise click.BadParameter(f"must be NAME=VALUE, got {text!r}.")
        try:
            values[name.strip()] = json.loads(PYTHON_NAMES.get(value, value))
        except json.JSONDecodeError:
            values[name.strip()] = value
    return values or None


def _class_weight(_: click.Context, __: click.Parameter, text: str | None) -> Any:
    if text is None or text == BALANCED:
        return text
    if text == NONE:
        return NO_VALUE
    if text.startswith("{"):
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            raise click.BadParameter(f"is not valid JSON: {error}.") from None
    weights = {}
    for part in text.split(","):
        name, equals, weight = part.rpartition("=")
        try:
            weights[name.strip()] = float(weight)
        except ValueError:
            equals = ""
        if not (equals and name.strip()):
            message = f"must be {BALANCED} or NAME=WEIGHT,NAME=WEIGHT, got {text!r}."
            raise click.BadParameter(message)
    return weights


def _tab(_: click.Context, __: click.Parameter, text: str | None) -> str | None:
    return {"tab": "\t", "\\t": "\t"}.get(text, text) if text else text


PARSERS: dict[Any, dict[str, Any]] = {
    int: {"type": int},
    float: {"type": float},
    str: {},
    bool: {"default": None},
    float | str: {"callback": _number_or_text},
    Sequence[int]: {"callback": _whole_numbers},
    Sequence[float]: {"callback": _numbers},
    Sequence[str]: {"callback": names},
    Mapping[str, float] | str | None: {"callback": _class_weight},
    Mapping[str, Any]: {"multiple": True, "callback": _named_values},
}
"""Arguments of `click.option` that parse a value, by the type of its field."""

ALIASES = {"static_columns": ("--static",)}
"""Shorter names of some options, by their fields."""

EXTRA_ARGUMENTS: dict[str, dict[str, Any]] = {
    "data": {"shell_complete": completers.data},
    "cell": {"shell_complete": completers.cells},
    "delimiter": {"callback": _tab},
}
"""Additional arguments of `click.option` for some options, by their fields."""


def _click_option(option: Option, subject: str) -> Callable:
    if get_origin(option.type) is Literal:
        choices = get_args(option.type)
        settings: dict[str, Any] = {"type": OneOf(choices, takes_none=option.takes_none)}
    else:
        settings = dict(PARSERS[option.type])
    if option.takes_none and option.type in (int, float):
        settings["type"] = OrNone(click.types.convert_type(settings["type"]))
    settings |= EXTRA_ARGUMENTS.get(option.name, {})
    return click.option(
        option.flags,
        *ALIASES.get(option.name, ()),
        option.name,
        help=option.help,
        cls=Grouped,
        subject=subject,
        **settings,
    )


def stack(*options: Callable) -> Callable:
    """One decorator that applies several, in the order in which the help shows them."""

    def decorated(command: Callable) -> Callable:
        return functools.reduce(lambda inner, option: option(inner), reversed(options), command)

    return decorated


def _of(
    subject: str, options: Mapping[str, Option], names: Iterable[str] | None = None
) -> Callable:
    return stack(*(_click_option(options[name], subject) for name in names or options))


def source_option(name: str, default: str = "") -> Callable:
    """The option of a field of `Source`; `default` describes a default other than training's."""
    option = source_options()[name]
    if default:
        option = replace(option, help=f"{option.help.partition(' [')[0]} [default: {default}]")
    return _click_option(option, DATA)


def _as_in_training(option: Option) -> Option:
    """An option whose default is that of the run."""
    text, default, _ = option.help.partition(" [default: ")
    return replace(option, help=f"{text}{default and ' [default: as in training]'}")


def source_options_except(*excluded: str) -> Callable:
    """The options of `Source`, except for the fields that a command defines differently."""
    names = [name for name in source_options() if name not in excluded]
    return stack(*(_click_option(source_options()[name], DATA) for name in names))


DATA, MODEL, TRAINING, DECODING = "Data", "Model", "Training", "Decoding"
SERVING = "Serving"
"""Subjects of options."""

READING = (
    "input",
    "target",
    "further_inputs",
    "time_column",
    "sentence_column",
    "time_values",
    "date_column",
    "date_format",
    "timezone",
    "frequency",
    "decimal_comma",
    "series_column",
    "past_columns",
    "known_columns",
    "static_columns",
    "split_at",
    "columns",
    "delimiter",
    "separator",
    "data_dir",
    "resample",
    "split_column",
    "duplicates",
    "limit",
)
"""Fields of `Source` that commands on an existing run accept."""

others = click.option(
    "--with",
    "others",
    multiple=True,
    shell_complete=completers.runs,
    help="Another run to ensemble with RUN; the predicted probabilities or values are averaged. "
    "Repeatable.",
)
reading = _of(
    DATA,
    {name: _as_in_training(source_options()[name]) for name in READING},
)
source = _of(DATA, source_options())
task = stack(
    click.option(
        "--size",
        type=OneOf(get_args(Size)),
        help="Model size of the preset. [default: base]",
        cls=Grouped,
        subject=MODEL,
    ),
    _of(MODEL, task_options()),
)
training = _of(TRAINING, training_options())
serving = _of(SERVING, serving_options())
decoding = stack(
    _of(DECODING, decoding_options()),
    click.option(
        "--seed", type=int, help="Random seed for sampling.", cls=Grouped, subject=DECODING
    ),
)
device = click.option(
    "--device",
    type=OneOf(["cpu", "gpu"]),
    help="Device to run on. [default: a GPU if there is one]",
)


def listed(*stacks: Callable) -> list[click.Option]:
    """The options that decorators add, in their order."""
    command = click.command()(stack(*stacks)(lambda **_: None))
    return [option for option in command.params if isinstance(option, click.Option)]


def given(choices: dict[str, Any]) -> dict[str, Any]:
    """The options that were given; click passes None for the others."""
    typed = {name: value for name, value in choices.items() if value is not None}
    return {name: None if value is NO_VALUE else value for name, value in typed.items()}


def decoding_flags(choices: dict[str, Any]) -> list[str]:
    """The decoding options that were given, as they are typed."""
    known = decoding_options()
    return [known[name].flags if name in known else "--seed" for name in split_choices(choices)[0]]


def split_choices(choices: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options that were given, as two parts: decoding options with the seed, and all others."""
    others = given(choices)
    decoding = {name: others.pop(name) for name in (*decoding_options(), "seed") if name in others}
    return decoding, others
