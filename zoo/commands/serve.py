"""The command `seqzoo serve`: serves models over HTTP."""

from typing import Any

import click

from seqzoo.zoo.commands import completers, options


@click.command("serve", cls=options.Command)
@click.argument("runs", nargs=-1, required=True, shell_complete=completers.runs)
@options.serving
@options.device
def command(runs: tuple[str, ...], device: str | None, **choices: Any) -> None:
    """Serve the models in RUNS over HTTP, with a page to try them out.

    Each RUN is a folder, or a preset with a pretrained model; NAME=RUN sets its name in URLs. The
    REST API is that of TensorFlow Serving.

    \b
    Examples:
      seqzoo serve language-id
      seqzoo serve language-id dates=runs/date-normaliser --port 9000
      curl -d '{"instances": ["Zuid-Korea"]}' localhost:8501/v1/models/language-id:predict
    """
    from seqzoo.zoo.serving.start import start

    start(runs, options.given(choices), device, click.echo)
