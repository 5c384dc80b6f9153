"""The command `seqzoo export`: writes a SavedModel."""

from typing import Any

import click

from seqzoo.zoo.commands import completers, options


@click.command("export")
@click.argument("run", shell_complete=completers.runs)
@click.argument("folder")
@click.option(
    "--top",
    type=click.IntRange(1),
    help="Predictions per input. [default: 5; 1 for generated text]",
)
@options.device
@options.decoding
def command(run: str, folder: str, top: int | None, device: str | None, **choices: Any) -> None:
    """Export the model in RUN as a SavedModel in FOLDER.

    The SavedModel takes raw inputs (text, numbers, audio), returns labels and probabilities, and
    needs only TensorFlow to load.

    \b
    Examples:
      seqzoo export runs/language-id language-id
    """
    from seqzoo.zoo.inference.export import export

    decoding, _ = options.parted(choices)
    click.echo(export(run, folder, top, decoding, device))
