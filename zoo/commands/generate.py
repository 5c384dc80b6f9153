"""The command `seqzoo generate`: prints generated text."""

from typing import Any

import click

from seqzoo.zoo.commands import completers, options


@click.command("generate", cls=options.TextsCommand)
@click.argument("run", shell_complete=completers.runs)
@click.argument("text", nargs=-1)
@click.option(
    "--count",
    type=options.Whole(1),
    default=1,
    help="Number of texts per input. [at least 1; default: 1]",
)
@options.source_option("resample")
@options.device
@options.decoding
def command(
    run: str,
    text: tuple[str, ...],
    count: int,
    resample: bool | None,
    device: str | None,
    **choices: Any,
) -> None:
    """Generate text with the model in RUN and print it verbatim.

    A language model continues each TEXT, or starts from scratch without one; other models take the
    same inputs as `seqzoo predict`.

    \b
    Examples:
      seqzoo generate runs/python-source "def main(" --temperature 0.7 --maximum-length 200
      seqzoo generate runs/glyph-captioner letter.png
    """
    from seqzoo.zoo.inference.generate import generate

    decoding, _ = options.split_choices(choices)
    for line in generate(run, text, count, decoding, device, resample=bool(resample)):
        click.echo(line)
