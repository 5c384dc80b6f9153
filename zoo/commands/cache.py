"""The command `seqzoo cache`: lists and removes the encoded examples from large tables."""

import json

import click

from seqzoo.zoo.commands import options


@click.command("cache")
@click.argument("action", type=options.OneOf(["list", "clear"]))
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(action: str, as_json: bool) -> None:
    """List or clear the encoded examples from large tables.

    Examples from large tables are encoded once and kept in $SEQZOO_CACHE, by default seqzoo in
    $XDG_CACHE_HOME or ~/.cache, where later training runs find them. Removed examples are encoded
    again when they are needed.

    \b
    Examples:
      seqzoo cache list
      seqzoo cache list --json
      seqzoo cache clear
    """
    from seqzoo.tasks.data.cache import cache_folder, clear_cache, list_cache

    if action == "clear":
        freed = clear_cache()
        if as_json:
            click.echo(json.dumps({"folder": str(cache_folder()), "freed": freed}))
        else:
            click.echo(f"Removed {freed / 1e6:,.1f} MB from {cache_folder()}.")
        return
    entries = list_cache()
    if as_json:
        rows = [
            {
                "key": entry.key,
                "bytes": entry.bytes,
                "usable": entry.usable,
                "of": entry.about.get("what"),
            }
            for entry in entries
        ]
        click.echo(json.dumps({"folder": str(cache_folder()), "entries": rows}, ensure_ascii=False))
        return
    for entry in entries:
        state = (
            entry.about.get("what", "")
            if entry.usable
            else "cannot be used; `cache clear` removes it"
        )
        click.echo(f"{entry.bytes / 1e6:>10,.1f} MB  {entry.key[:14]}  {state}")
    total = sum(entry.bytes for entry in entries)
    click.echo(f"{total / 1e6:>10,.1f} MB  in {cache_folder()}")
