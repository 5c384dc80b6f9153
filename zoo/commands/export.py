"""The command `seqzoo export`: writes a model that runs without seqzoo."""

from typing import Any

import click

from seqzoo.tasks.export.formats import FORMATS, SIGNATURES
from seqzoo.zoo.commands import completers, options


@click.command("export", cls=options.Command)
@click.argument("run", shell_complete=completers.runs)
@click.argument("folder", callback=options.in_utf_8)
@click.option(
    "--format",
    "format_",
    type=options.OneOf(list(FORMATS)),
    default="saved-model",
    help="Format to write. [default: saved-model]",
)
@click.option(
    "--precision",
    type=options.OneOf(["float32", "float16", "int8", "full-int8"]),
    default="float32",
    help="Precision of the weights: float16 for litert, int8 for onnx and litert; full-int8 for "
    "litert also quantises the activations. [default: float32]",
)
@click.option(
    "--steps",
    type=options.Whole(1),
    help="Fixed number of time steps, for litert. [at least 1; default: any]",
)
@click.option(
    "--signature",
    "signatures",
    type=options.OneOf(list(SIGNATURES)),
    multiple=True,
    help="Additional signature of a SavedModel, which makes it slower to load: "
    f"{'; '.join(f'{name} ({summary})' for name, summary in SIGNATURES.items())}.",
)
@click.option(
    "--top",
    type=options.Whole(1),
    help="Number of predictions per input. [at least 1; default: 5; 1 for generated text]",
)
@options.device
@options.decoding
def command(
    run: str,
    folder: str,
    format_: str,
    precision: str,
    steps: int | None,
    signatures: tuple[str, ...],
    top: int | None,
    device: str | None,
    **choices: Any,
) -> None:
    """Export the model in RUN to FOLDER and check its predictions in a separate process.

    A SavedModel takes raw inputs (text, numbers, audio), returns labels and probabilities, and
    needs only TensorFlow to load. ONNX and LiteRT files run without TensorFlow; predict.py next to
    them turns raw inputs into predictions.

    \b
    Examples:
      seqzoo export runs/language-id language-id
      seqzoo export runs/language-id language-id --format onnx --precision int8
    """
    from seqzoo.zoo.inference.export import export

    decoding, _ = options.split_choices(choices)
    chosen = {"format": format_, "precision": precision, "steps": steps, "signatures": signatures}
    click.echo(export(run, folder, top, decoding, device, **chosen))
