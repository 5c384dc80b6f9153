"""The command `seqzoo explain`: colours parts of inputs by their contributions to predictions."""

import json

import click

from seqzoo.zoo.commands import completers, options


@click.command("explain", cls=options.TextsCommand)
@click.argument("run", shell_complete=completers.runs)
@click.argument("text", nargs=-1, required=True)
@click.option(
    "--answer",
    help="Class, label or text to explain; for a forecast, the name of a target. "
    "[default: the prediction; for a forecast, the first target]",
)
@click.option(
    "--step",
    type=options.Whole(0),
    help="Step of the prediction (from 0) to explain; for a forecast, a step of the horizon. "
    "[default: the last; for generated text, all]",
)
@click.option(
    "--method",
    type=options.OneOf(["integrated-gradients", "occlusion"]),
    default="integrated-gradients",
    help="Attribution method. [default: integrated-gradients]",
)
@options.source_option("resample")
@options.source_option("date_format", default="as in training")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per input.")
@options.device
def command(
    run: str,
    text: tuple[str, ...],
    answer: str | None,
    step: int | None,
    method: str,
    resample: bool | None,
    date_format: str | None,
    as_json: bool,
    device: str | None,
) -> None:
    """Explain the prediction of the model in RUN for each TEXT.

    Parts of the input that support the prediction are red, those that oppose it blue; the strongest
    characters, words or steps are listed below with their positions. RUN may be a preset with a
    pretrained model. TEXT is a JSON object for a model with several inputs, and the path of a table
    for a forecast.

    \b
    Examples:
      seqzoo explain language-id "buenos días"
      seqzoo explain language-id "buenos días" --answer Portuguese
      seqzoo explain date-normaliser "3 mars 2021" --step 5 --method occlusion
      seqzoo explain runs/sales sales.csv --step 0 --answer sold
    """
    from seqzoo.zoo.inference.open_run import open_run
    from seqzoo.zoo.inspection.explain import explain, terminal_text
    from seqzoo.zoo.inspection.inputs import command_line_inputs

    opened = open_run(run, device)
    separator = "" if opened.template.input == "characters" else " "
    for value in command_line_inputs(
        opened, text, resample=bool(resample), date_format=date_format
    ):
        result = explain(opened, value, answer, step, method)  # pyright: ignore[reportArgumentType]
        if as_json:
            click.echo(json.dumps(result, ensure_ascii=False))
        else:
            click.echo(terminal_text(result, separator))
