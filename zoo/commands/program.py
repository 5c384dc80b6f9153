"""The name under which this program was called, for the commands that it suggests."""

import sys

import click


def program(ctx: click.Context) -> str:
    """The program as it was called: "seqzoo", "python -m seqzoo" or "python cli.py"."""
    called = ctx.find_root().info_name or "seqzoo"
    if called.endswith(".py"):
        return f"python {sys.argv[0]}"
    return called if called == "python -m seqzoo" else "seqzoo"
