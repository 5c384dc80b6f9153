"""The name that this program was called by, for the commands that it suggests."""

import sys

import click


def program(ctx: click.Context) -> str:
    """The program as called: "seqzoo", or "python cli.py" where that was typed."""
    called = ctx.find_root().info_name or "seqzoo"
    return f"python {sys.argv[0]}" if called.endswith(".py") else "seqzoo"
