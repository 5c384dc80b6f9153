"""The command `seqzoo train`: trains and writes a run folder."""

import functools
import json
from typing import Any

import click

from seqzoo.zoo.commands import completers, options
from seqzoo.zoo.commands.program import program


@click.command("train", cls=options.Command)
@click.argument("name", required=False, shell_complete=completers.trainable)
@click.option(
    "--from",
    "start_from",
    shell_complete=completers.runs,
    help="Run, or preset with a trained model, to start from: its layers and its preprocessing.",
)
@options.source
@options.task
@options.training
@click.option(
    "--run", shell_complete=completers.runs, help="Run folder to write. [default: runs/NAME]"
)
@click.option("--resume", is_flag=True, help="Resume the training in the run folder.")
@options.device
@click.option("--quiet", is_flag=True, help="Print only the run folder.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print the run folder and its metrics as JSON."
)
@click.pass_context
def command(
    ctx: click.Context,
    name: str | None,
    start_from: str | None,
    run: str | None,
    resume: bool,
    device: str | None,
    quiet: bool,
    as_json: bool,
    **choices: Any,
) -> None:
    """Train NAME (a preset, a template or a configuration file) and write a run folder.

    Options override the settings of a preset or file. A template needs --data, --kind and, for a
    table, the columns --input and --target. With --from it takes --kind and the size of its layers
    from the run, and without NAME all other settings, too.

    \b
    Examples:
      seqzoo train language-id
      seqzoo train mnist-rows --cell gru --epochs 3 --data-dir ~/tensorflow_datasets
      seqzoo train many-to-one --data reviews.csv --kind words --input text --target label
      seqzoo train reviews.toml --epochs 5
      seqzoo train language-id --device cpu --quiet --json > trained.json
      seqzoo train --from language-id --data names.csv --input name --target country
      seqzoo train --resume --run runs/language-id
    """
    from seqzoo.zoo.training.summary import summary
    from seqzoo.zoo.training.train import plan_new, plan_resumed, run_plan

    given = options.given(choices)
    if resume and start_from:
        raise click.UsageError("--from is for new runs; a resumed run keeps what it started from.")
    if resume:
        plan = plan_resumed(name, run, given, device)
    else:
        plan = plan_new(name, run, given, start_from, device)
    say = functools.partial(click.echo, err=as_json)
    trained = run_plan(plan, quiet=quiet, say=say, device=device)
    if as_json:
        click.echo(json.dumps(trained.to_json(), ensure_ascii=False))
    else:
        click.echo(trained.run.folder if quiet else summary(trained, program(ctx)))
