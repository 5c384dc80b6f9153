"""The command `seqzoo evaluate`: scores a run."""

import json
from typing import Any

import click

from seqzoo.zoo.commands import completers, options


@click.command("evaluate", cls=options.Command)
@click.argument("run", shell_complete=completers.runs)
@options.others
@options.source_option("data", default="as in training")
@options.reading
@click.option(
    "--split",
    help="Split to evaluate: train, validation, test, all, or another split of the data. "
    "[default: all of a file that --data names, otherwise test]",
)
@click.option("--report", help="Folder to write tables and plots to.")
@click.option("--json", "as_json", is_flag=True, help="Print all metrics as JSON.")
@options.device
@options.decoding
def command(
    run: str,
    others: tuple[str, ...],
    split: str | None,
    report: str | None,
    as_json: bool,
    device: str | None,
    **choices: Any,
) -> None:
    """Evaluate the model in RUN on held-out examples.

    \b
    Examples:
      seqzoo evaluate runs/language-id
      seqzoo evaluate runs/reviews --data more-reviews.csv --report scores
      seqzoo evaluate runs/reviews-1 --with runs/reviews-2 --with runs/reviews-3
      seqzoo evaluate runs/language-id --json > scores.json
    """
    from seqzoo.zoo.inference.evaluate import evaluate
    from seqzoo.zoo.output import evaluation_text, without_samples

    decoding, source = options.split_choices(choices)
    metrics = evaluate(run, source, split, report, decoding, device, others)
    if as_json:
        click.echo(json.dumps(without_samples(metrics), ensure_ascii=False))
    else:
        click.echo(evaluation_text(metrics), nl=False)
