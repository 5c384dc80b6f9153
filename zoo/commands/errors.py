"""The command `seqzoo errors`: shows the most confident mistakes and likely label errors."""

import functools
import json
from typing import Any

import click

from seqzoo.zoo.commands import completers, options


@click.command("errors", cls=options.Command)
@click.argument("run", shell_complete=completers.runs)
@click.argument("data", required=False, shell_complete=completers.data)
@options.reading
@click.option(
    "--split",
    help="Split to examine: validation, test, or another split of the data. "
    "[default: all of a file that DATA names, otherwise test]",
)
@click.option(
    "--folds",
    type=options.Whole(2),
    help="Examine the training examples instead of a split, in this many folds, each with a model "
    "trained on the others. [at least 2]",
)
@click.option(
    "--top",
    type=options.Whole(1),
    default=5,
    help="Number of examples per likely cause. [at least 1; default: 5]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@options.device
def command(
    run: str,
    data: str | None,
    split: str | None,
    folds: int | None,
    top: int,
    as_json: bool,
    device: str | None,
    **choices: Any,
) -> None:
    """Show the most confident mistakes of the classifier in RUN, and likely label errors.

    Mistakes are grouped by likely cause: a different label for the same text in training, a
    rare class, unknown words, very short or long inputs, or a pair of classes that is often
    confused. DATA is a file or data set with labels; without it, the test split of the run's own
    data is used.

    \b
    Examples:
      seqzoo errors runs/reviews
      seqzoo errors runs/reviews more-reviews.csv --top 10
      seqzoo errors runs/reviews --folds 5 --json > label-errors.json
    """
    from seqzoo.zoo.mistakes.errors import errors

    result = errors(
        run,
        data,
        split=split,
        folds=folds,
        top=top,
        device=device,
        print_fn=functools.partial(click.echo, err=True),
        **options.given(choices),
    )
    click.echo(json.dumps(result.to_json(), ensure_ascii=False) if as_json else result.text())
