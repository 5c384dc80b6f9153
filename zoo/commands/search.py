"""The command `seqzoo search`: searches for hyperparameters."""

import functools
import json
import re
from typing import Any

import click

from seqzoo.zoo.commands import completers, options

UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}


class Duration(click.ParamType):
    """A duration such as 1h30m, converted to seconds."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        parts = re.findall(r"(\d+(?:\.\d+)?)([dhms])", str(value))
        seconds = sum(float(number) * UNITS[unit] for number, unit in parts)
        if "".join(map("".join, parts)) != value or not seconds:
            self.fail(f"must be a time such as 90s, 45m or 1h30m, got {value!r}.", param, ctx)
        return seconds


@click.command("search", cls=options.Command)
@click.argument("name", shell_complete=completers.trainable)
@click.option(
    "--trials",
    type=options.Whole(1),
    help="Number of trials. [at least 1; default: 30, or as many as --time allows]",
)
@click.option(
    "--time",
    "seconds",
    type=Duration(),
    help="Time limit for all trials in the folder, such as 90s, 45m or 1h30m; trials still running "
    "then are stopped after a checkpoint. [default: no limit]",
)
@click.option(
    "--parallel",
    type=options.Whole(1),
    default=1,
    help="Number of processes that train at the same time. [at least 1; default: 1]",
)
@click.option(
    "--pruner",
    type=options.OneOf(["median", "hyperband", "none"]),
    default="median",
    help="Rule for stopping trials early: after an epoch in which a trial is worse than the median "
    "of the others (median), by Hyperband (hyperband), or never (none). [default: median]",
)
@options.source
@options.task
@options.training
@click.option("--run", help="Folder to write. [default: searches/NAME]")
@options.device
@click.option("--json", "as_json", is_flag=True, help="Print the trials as JSON.")
def command(
    name: str,
    trials: int | None,
    seconds: float | None,
    parallel: int,
    pruner: Any,
    run: str | None,
    device: str | None,
    as_json: bool,
    **choices: Any,
) -> None:
    """Search for the best hyperparameters of NAME (a preset, template or configuration file).

    Each trial is a training run with different options, which Optuna samples from the
    [search] table of the configuration file. Without one, the learning rate,
    batch size and units vary around those of NAME, dropout varies from 0 to 0.6, and the cell is
    gru, lstm, mgu or that of NAME; options that the template does not have are left out. Trials are
    compared by their validation scores. After Ctrl-C, the same command resumes the search;
    `seqzoo train FOLDER/best.toml` trains the best trial again.

    \b
    Examples:
      seqzoo search language-id --trials 10 --epochs 1 --limit 10000
      seqzoo search reviews.toml --trials 30 --time 1h
      seqzoo search reviews.toml --time 8h --parallel 2 --pruner hyperband
      seqzoo search many-to-one --data reviews.csv --kind words --input text --target label
    """
    from seqzoo.zoo.hyperparameters.search import search
    from seqzoo.zoo.output import table

    result = search(
        name,
        trials=trials,
        seconds=seconds,
        parallel=parallel,
        pruner=pruner,
        folder=run,
        device=device,
        print_fn=functools.partial(click.echo, err=True),
        **options.given(choices),
    )
    if as_json:
        click.echo(json.dumps(result.to_json(), ensure_ascii=False))
    else:
        click.echo(f"{table(*result.table())}\n\n{result.verdict()}")
        click.echo(f"Saved in {result.folder}: best.toml, search.csv, .json and .png.")
