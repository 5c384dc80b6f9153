"""The command `seqzoo list`: lists cells, templates, presets and data sets."""

import json

import click

from seqzoo.zoo.commands import completers, options


@click.command("list")
@click.argument("what", required=False, type=options.OneOf(completers.KINDS))
@click.argument("pattern", default="*", shell_complete=completers.of_a_kind)
@click.option("--family", help="List only cells of this family, such as long-memory.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print kinds, names and descriptions as JSON."
)
def command(what: str | None, pattern: str, family: str | None, as_json: bool) -> None:
    """List cells, templates, presets or data sets whose names match PATTERN.

    The table of cells shows the family, the year of publication, the number of matrix products
    with the state per time step, and whether the time steps can be computed in parallel.

    \b
    Examples:
      seqzoo list
      seqzoo list presets "mnist-*"
      seqzoo list cells --family long-memory
      seqzoo list cells --json
    """
    from seqzoo.zoo.catalogue.listing import listed, listing

    what = what or ("cells" if family else None)
    if family and what != "cells":
        raise click.UsageError(f"--family is for cells; leave it out to list {what}.")
    if as_json:
        result = listed(what, pattern, family)
        if not any(result.values()):
            listing(what, pattern, family)  # raises an error
        click.echo(json.dumps(result, ensure_ascii=False))
    else:
        click.echo(listing(what, pattern, family), nl=False)
