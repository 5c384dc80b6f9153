"""The command `seqzoo check`: checks data before training."""

import json
import pathlib
from typing import Any

import click

from seqzoo.zoo.commands import completers, options


@click.command("check", cls=options.Command)
@click.argument("data", shell_complete=completers.data)
@options.source_options_except("data")
@click.option(
    "--timing/--no-timing", default=True, help="Measure how long an epoch takes. [default: yes]"
)
@click.option("--html", help="HTML file to write the report to.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(data: str, timing: bool, html: str | None, as_json: bool, **choices: Any) -> None:
    """Check DATA before training, and suggest a first model to train.

    DATA is a file, a folder, tfds:NAME, a built-in data set or a preset. The columns of tables and
    their types are inferred unless they are given; a table with a column of dates is checked for a
    forecast. The exit code is 1 if training would fail.

    \b
    Examples:
      seqzoo check reviews.csv
      seqzoo check reviews.csv --input text --target label --html reviews.html
      seqzoo check sales.csv --target sold --known-columns price
      seqzoo check languages --kind characters --json > languages.json
    """
    from seqzoo.zoo.data_check import report
    from seqzoo.zoo.data_check.check import check

    if html and pathlib.Path(html).is_dir():
        raise click.UsageError(f"--html must name a file, got the folder {html}.")
    if html and not pathlib.Path(html).absolute().parent.is_dir():
        raise click.UsageError(f"--html must name a file in a folder that exists, got {html}.")

    def print_fn(finding: Any) -> None:
        if not as_json:
            click.echo(finding.text(), nl=False)

    result = check(data, timing=timing, print_fn=print_fn, **options.given(choices))
    if html:
        report.write_page(result, pathlib.Path(html))
    if as_json:
        click.echo(json.dumps(result.to_json(), ensure_ascii=False, default=str))
    else:
        click.echo(report.conclusion(result))
    if result.broken:
        raise SystemExit(1)
