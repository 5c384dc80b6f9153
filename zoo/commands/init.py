"""The command `seqzoo init`: writes a configuration file."""

from typing import Any

import click

from seqzoo.tasks.printable import quoted_path
from seqzoo.zoo.commands import completers, options
from seqzoo.zoo.commands.program import program


@click.command("init", cls=options.Command)
@click.argument("name", shell_complete=completers.initial)
@options.source
@options.task
@options.training
@click.option("--output", help="File to write; - for standard output. [default: NAME.toml]")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
@click.pass_context
def command(ctx: click.Context, name: str, output: str | None, force: bool, **choices: Any) -> None:
    """Write a commented configuration file for NAME (a preset, template or run).

    `seqzoo train FILE` trains from it. Options given here are written to the file.

    \b
    Examples:
      seqzoo init language-id
      seqzoo init many-to-one --data reviews.csv --kind words --output reviews.toml
      seqzoo init runs/language-id --output again.toml
    """
    from seqzoo.zoo.config import toml_writer

    result = toml_writer.init(name, output, options.given(choices), force=force)
    if output == "-":
        click.echo(result, nl=False)
    else:
        command = f"{program(ctx)} train {quoted_path(result)}"
        click.echo(f"{result} has all settings. To train: {command}")
