"""The command `seqzoo backtest`: scores a forecast over several origins."""

import json
from typing import Any

import click

from seqzoo.zoo.commands import completers, options


@click.command("backtest", cls=options.Command)
@click.argument("run", shell_complete=completers.runs)
@options.source_option("data", default="as in training")
@options.source_option("date_format", default="as in training")
@click.option(
    "--origins",
    type=options.Whole(1),
    default=5,
    help="Number of origins. [at least 1; default: 5]",
)
@click.option(
    "--stride",
    type=options.Whole(1),
    help="Number of steps between successive origins. [at least 1; default: the horizon]",
)
@click.option(
    "--refit/--no-refit",
    default=False,
    help="Train a model at each origin, on the steps before it. [default: no]",
)
@click.option("--json", "as_json", is_flag=True, help="Print all scores as JSON.")
@options.device
def command(
    run: str,
    data: str | None,
    date_format: str | None,
    origins: int,
    stride: int | None,
    refit: bool,
    as_json: bool,
    device: str | None,
) -> None:
    """Backtest the forecasts of RUN from several origins, the last of which is one horizon
    before the end.

    Prints the scores at each origin, and their means next to those of the baselines.

    \b
    Examples:
      seqzoo backtest runs/sales
      seqzoo backtest runs/sales --origins 12 --stride 1 --json > backtest.json
      seqzoo backtest runs/sales --origins 3 --refit
    """
    from seqzoo.zoo.inference.backtest import backtest, backtest_text

    given: dict[str, Any] = options.given({"data": data, "date_format": date_format})
    result = backtest(
        run,
        given=given,
        origins=origins,
        stride=stride,
        refit=refit,
        print_fn=lambda text: click.echo(text, err=True),
        device=device,
    )
    click.echo(json.dumps(result, ensure_ascii=False) if as_json else backtest_text(result))
