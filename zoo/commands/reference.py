"""The reference of all commands and options as Markdown, generated from the commands."""

import re
from collections.abc import Sequence

import click

from seqzoo.zoo.commands import options
from seqzoo.zoo.commands.registry import COMMANDS

SHARED = {
    options.DATA: options.source,
    options.MODEL: options.task,
    options.TRAINING: options.training,
    options.DECODING: options.decoding,
}
"""Options that several commands share, by the title of their table."""

BEGIN = "<!-- Written by `python -m docs.write_options`, from the commands' help. -->"


def updated(page: str) -> str:
    """A page with the reference after `BEGIN`.

    Raises:
        ValueError: the page has no such marker.
    """
    head, begin, _ = page.partition(BEGIN)
    if not begin:
        raise ValueError(f"The page must contain the line {BEGIN}")
    return f"{head}{BEGIN}\n{reference()}"


def reference() -> str:
    """The options of each command as Markdown; those that commands share are listed once."""
    parts = [
        section for name, command in COMMANDS.items() for section in _command(name, command.load())
    ]
    for title, stack in SHARED.items():
        parts += [f"## {title} options", _table(options.listed(stack))]
    return "\n\n".join(parts) + "\n"


def _command(name: str, command: click.Command) -> list[str]:
    params = [
        param for param in command.params if isinstance(param, click.Option) and not param.hidden
    ]
    titles = []
    for title, stack in SHARED.items():
        shared = {_row(option) for option in options.listed(stack)}
        if shared <= {_row(option) for option in params}:
            titles.append(title)
            params = [option for option in params if _row(option) not in shared]
    arguments = [_argument(param) for param in command.params if isinstance(param, click.Argument)]
    parts = [f"## `{' '.join(['seqzoo', name, *arguments])}`", _about(command)]
    parts += [
        f"{_name(param)} is one of {', '.join(f'`{choice}`' for choice in param.type.choices)}."
        for param in command.params
        if isinstance(param, click.Argument) and isinstance(param.type, click.Choice)
    ]
    parts += [_table(params)] if params else []
    if titles:
        links = [f"[{title.lower()}](#{title.lower()}-options)" for title in titles]
        parts.append(f"It also takes the {_enumeration(links)} options.")
    return parts


def _enumeration(names: Sequence[str]) -> str:
    """Names in a sentence: "a, b and c"."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _about(command: click.Command) -> str:
    """The first paragraph of the help of a command."""
    return re.sub(r"\s*\n\s*", " ", (command.help or "").partition("\n\n")[0].strip())


def _argument(argument: click.Argument) -> str:
    shown = _name(argument) + "..." * (argument.nargs < 0)
    return shown if argument.required else f"[{shown}]"


def _name(argument: click.Argument) -> str:
    return str(argument.metavar or argument.name).upper()


def _table(listed: Sequence[click.Option]) -> str:
    return "\n".join(["| option | description |", "| --- | --- |", *map(_row, listed)])


def _row(option: click.Option) -> str:
    names = "/".join([", ".join(option.opts), *option.secondary_opts])
    text = option.help or ""
    if isinstance(option.type, click.Choice):
        text += f" One of {', '.join(map(str, option.type.choices))}."
    return f"| `{names}` | {text.replace('|', chr(92) + '|')} |"
