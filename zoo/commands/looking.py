"""The commands that list, describe and check, without training anything."""

import json
import shlex
from dataclasses import asdict
from typing import Any

import click

from seqzoo.zoo.commands import completers as completing
from seqzoo.zoo.commands import options
from seqzoo.zoo.commands.program import program

# TensorFlow takes seconds to import: what needs it is imported inside the commands.


@click.command("list")
@click.argument(
    "what", required=False, type=options.OneOf(["cells", "templates", "presets", "datasets"])
)
@click.argument("pattern", default="*", shell_complete=completing.of_a_kind)
@click.option("--family", help="Only cells of this family, such as long-memory.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print kinds, names and descriptions as JSON."
)
def list_(what: str | None, pattern: str, family: str | None, as_json: bool) -> None:
    """List cells, templates, presets or data sets whose names match PATTERN.

    The table of cells has the family, the year of publication, the matrix products with a state per
    time step, and whether the time steps can be computed in parallel.

    \b
    Examples:
      seqzoo list
      seqzoo list presets "mnist-*"
      seqzoo list cells --family long-memory
      seqzoo list cells --json
    """
    from seqzoo.zoo.commands import output as reports

    what = what or ("cells" if family else None)
    if family and what != "cells":
        raise click.UsageError(f"--family is of cells; leave it out to list {what}.")
    if as_json:
        click.echo(json.dumps(reports.listed(what, pattern, family), ensure_ascii=False))
    else:
        click.echo(reports.listing(what, pattern, family), nl=False)


@click.command()
@click.argument("name", shell_complete=completing.initial)
@options.source
@options.task
@options.training
@click.option("--output", help="File to write; - for standard output. [default: NAME.toml]")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
@click.pass_context
def init(ctx: click.Context, name: str, output: str | None, force: bool, **choices: Any) -> None:
    """Write a commented configuration file for NAME, a preset, a template or a run.

    `seqzoo train FILE` trains it. Options given here are written to the file.

    \b
    Examples:
      seqzoo init language-id
      seqzoo init many-to-one --data reviews.csv --kind words --output reviews.toml
      seqzoo init runs/language-id --output again.toml
    """
    from seqzoo.zoo.config import toml_writer as config_writing

    given = {key: value for key, value in choices.items() if value is not None}
    written = config_writing.init(name, output, given, force=force)
    if output == "-":
        click.echo(written, nl=False)
    else:
        command = f"{program(ctx)} train {shlex.quote(written)}"
        click.echo(f"{written} holds all choices. To train it: {command}")


@click.command()
@click.argument("name", shell_complete=completing.everything)
@click.option(
    "--features",
    type=click.IntRange(1, 100_000),
    default=64,
    help="Input features for the parameter count of a cell. [default: 64]",
)
@click.option(
    "--units",
    type=click.IntRange(1, 100_000),
    default=128,
    help="Units for the parameter count of a cell. [default: 128]",
)
@click.option("--data-dir", help="Folder of TensorFlow Datasets.")
@click.option("--json", "as_json", is_flag=True, help="Print the details as JSON.")
def show(name: str, features: int, units: int, data_dir: str | None, as_json: bool) -> None:
    """Show details of NAME, a cell, a template, a preset or a data set.

    \b
    Examples:
      seqzoo show gru --features 300 --units 512
      seqzoo show many-to-one
      seqzoo show language-id --json
    """
    from seqzoo.zoo.catalogue import describe as facts
    from seqzoo.zoo.commands import show_text as showing

    found = facts.facts(name, features, units, data_dir)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, default=list))
    else:
        click.echo(showing.text(found, program(click.get_current_context())), nl=False)


@click.command()
@click.option("--data-dir", help="Additional folder of TensorFlow Datasets to check.")
@click.option("--json", "as_json", is_flag=True, help="Print all findings as JSON.")
def doctor(data_dir: str | None, as_json: bool) -> None:
    """Check the installation, devices and data sets.

    Runs a small layer on every execution path. The exit code is 1 if something is broken.

    \b
    Examples:
      seqzoo doctor
      seqzoo doctor --json > machine.json
    """
    from seqzoo.zoo.commands import output as reports
    from seqzoo.zoo.diagnostics import doctor as examination

    findings = []
    for finding in examination.examine(data_dir):
        findings.append(finding)
        if not as_json:
            click.echo(reports.finding(finding), nl=False)
    broken = any(finding.state == "broken" for finding in findings)
    if as_json:
        rows = [asdict(finding) for finding in findings]
        click.echo(json.dumps({"healthy": not broken, "findings": rows}, ensure_ascii=False))
    else:
        click.echo("Something is broken." if broken else "All that is needed works.")
    if broken:
        raise SystemExit(1)


@click.command()
@click.argument("shell", type=options.OneOf(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script for SHELL.

    \b
    Examples:
      seqzoo completion bash > ~/.seqzoo-completion.bash
      seqzoo completion zsh > ~/.seqzoo-completion.zsh
      seqzoo completion fish > ~/.config/fish/completions/seqzoo.fish
    """
    click.echo(completing.script(ctx.find_root().command, shell))


COMMANDS = (completion, doctor, init, list_, show)
