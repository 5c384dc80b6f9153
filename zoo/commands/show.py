"""The command `seqzoo show`: prints details of a cell, template, preset or data set."""

import json

import click
from click.core import ParameterSource

from seqzoo.zoo.commands import completers, options
from seqzoo.zoo.commands.program import program

ONLY_FOR = {"features": "cell", "units": "cell", "data_dir": "data set"}
"""What some options are for; the others are for everything that has a name."""


@click.command("show")
@click.argument("name", shell_complete=completers.everything)
@click.option(
    "--features",
    type=options.Whole(1, 100_000),
    default=64,
    help="Number of input features for the parameter count of a cell. "
    "[at least 1 and at most 100,000; default: 64]",
)
@click.option(
    "--units",
    type=options.Whole(1, 100_000),
    default=128,
    help="Number of units for the parameter count of a cell. "
    "[at least 1 and at most 100,000; default: 128]",
)
@click.option("--data-dir", help="Data directory of TensorFlow Datasets.")
@click.option("--json", "as_json", is_flag=True, help="Print the details as JSON.")
@click.pass_context
def command(
    ctx: click.Context, name: str, features: int, units: int, data_dir: str | None, as_json: bool
) -> None:
    """Show details of NAME (a cell, template, preset or data set).

    \b
    Examples:
      seqzoo show gru --features 300 --units 512
      seqzoo show many-to-one
      seqzoo show language-id --json
    """
    from seqzoo.zoo.catalogue.describe import describe
    from seqzoo.zoo.catalogue.text import text

    details = describe(name, features, units, data_dir)
    kinds = [item["kind"] for item in details]
    for option, kind in ONLY_FOR.items():
        if ctx.get_parameter_source(option) is ParameterSource.COMMANDLINE and kind not in kinds:
            flag = f"--{option.replace('_', '-')}"
            raise click.UsageError(f"{flag} is for a {kind}, but {name} is a {kinds[0]}.")
    if as_json:
        click.echo(json.dumps(details, ensure_ascii=False, default=list))
    else:
        click.echo(text(details, program(ctx)), nl=False)
