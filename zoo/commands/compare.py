"""The command `seqzoo compare`: compares cells at equal parameter count."""

import functools
import json
from typing import Any

import click

from seqzoo.zoo.commands import completers, options


@click.command("compare", cls=options.Command)
@click.argument("name", shell_complete=completers.trainable)
@click.option("--cells", required=True, callback=options.names, help="Comma-separated cell names.")
@click.option(
    "--seeds",
    type=options.Whole(1),
    default=3,
    help="Number of training runs per cell, each with a different seed. [at least 1; default: 3]",
)
@click.option(
    "--gradient-flow",
    is_flag=True,
    help="Also measure how much of a gradient each cell passes back over 10, 100 and 1,000 steps.",
)
@options.source
@options.task
@options.training
@click.option("--run", help="Folder to write. [default: comparisons/NAME]")
@options.device
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
def command(
    name: str,
    cells: list[str],
    seeds: int,
    gradient_flow: bool,
    run: str | None,
    device: str | None,
    as_json: bool,
    **choices: Any,
) -> None:
    """Compare cells on NAME at equal parameter count.

    Each cell gets the number of units that brings the parameter count of the whole model closest to
    that of the model with the cell of NAME or --cell or, for a template, the first cell. Each
    training run runs in its own process. Finished training runs are not repeated: after Ctrl-C, the
    same command resumes the comparison, and cells or seeds that are added extend it.

    \b
    Examples:
      seqzoo compare language-id --cells vanilla,gated,lstm,gru --epochs 1
      seqzoo compare language-id --cells vanilla,lstm --gradient-flow --epochs 1
      seqzoo compare many-to-one --cells lstm,gru --data prices.npz --kind series
      seqzoo compare reviews.toml --cells lstm,gru --seeds 5 --run comparisons/five
    """
    from seqzoo.zoo.comparison.compare import compare
    from seqzoo.zoo.comparison.gradient_flow import flow_table
    from seqzoo.zoo.output import table

    comparison = compare(
        name,
        cells,
        seeds=seeds,
        gradient_flow=gradient_flow,
        folder=run,
        device=device,
        print_fn=functools.partial(click.echo, err=True),
        **options.given(choices),
    )
    if as_json:
        click.echo(json.dumps(comparison.to_json(), ensure_ascii=False))
    else:
        click.echo(f"{table(*comparison.table())}\n\n{comparison.verdict()}")
        if comparison.flow:
            click.echo("\nFraction of the gradient that remains, before any training:")
            click.echo(table(*flow_table(comparison.flow)))
        click.echo(f"Saved in {comparison.folder}: comparison.md, .csv, .json and .png.")
