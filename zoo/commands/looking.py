"""The commands that tell what there is, without training anything."""

import shlex
from typing import Any

import click

from seqzoo.zoo.commands import options
from seqzoo.zoo.commands.program import program

# TensorFlow takes seconds to import: what needs it is imported inside the commands.


@click.command("list")
@click.argument(
    "what", required=False, type=click.Choice(["cells", "templates", "presets", "datasets"])
)
@click.argument("pattern", default="*")
def list_(what: str | None, pattern: str) -> None:
    """List cells, templates, presets or data sets whose names match PATTERN.

    \b
    Examples:
      seqzoo list
      seqzoo list presets "mnist-*"
    """
    from seqzoo.zoo.commands import reports

    click.echo(reports.listing(what, pattern), nl=False)


@click.command()
@click.argument("name")
@options.source
@options.task
@options.training
@click.option("--output", help="File to write; - for standard output. [default: NAME.toml]")
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@click.pass_context
def init(ctx: click.Context, name: str, output: str | None, force: bool, **choices: Any) -> None:
    """Write a file with all choices of NAME, a preset, a template or a run, each explained.

    `seqzoo train FILE` trains it. Options that are typed here stand in the file.

    \b
    Examples:
      seqzoo init language-id
      seqzoo init many-to-one --data reviews.csv --kind words --output reviews.toml
      seqzoo init runs/language-id --output again.toml
    """
    from seqzoo.zoo.commands import config_writing

    given = {key: value for key, value in choices.items() if value is not None}
    written = config_writing.init(name, output, given, force=force)
    if output == "-":
        click.echo(written, nl=False)
    else:
        command = f"{program(ctx)} train {shlex.quote(written)}"
        click.echo(f"{written} holds all choices. To train it: {command}")


COMMANDS = (list_, init)
