"""The command `seqzoo completion`: prints the completion script for a shell."""

import click

from seqzoo.zoo.commands import completers, options


@click.command("completion")
@click.argument("shell", type=options.OneOf(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script for a shell.

    \b
    Examples:
      seqzoo completion bash > ~/.seqzoo-completion.bash
      seqzoo completion zsh > ~/.seqzoo-completion.zsh
      seqzoo completion fish > ~/.config/fish/completions/seqzoo.fish
    """
    click.echo(completers.script(ctx.find_root().command, shell))
