"""The command `seqzoo inspect`: writes a page about the internals of a model."""

import json
import pathlib

import click

from seqzoo.tasks.wording import counted
from seqzoo.zoo.commands import completers, options


@click.command("inspect", cls=options.TextsCommand)
@click.argument("run", shell_complete=completers.runs)
@click.argument("input", nargs=-1)
@click.option(
    "--output", help="Folder to write. [default: inspections/, followed by the name of the run]"
)
@click.option(
    "--only",
    callback=options.names,
    help="Analyses to run: attribution, gradients, gates, states, attention, weights, "
    "fixed-points, transitions, embeddings. [default: all that apply to the model]",
)
@click.option(
    "--step",
    type=options.Whole(0),
    help="Step of the prediction (from 0) to explain and to compute gradients from; for a "
    "forecast, a step of the horizon of the first target. "
    "[default: the last; for generated text, all]",
)
@click.option(
    "--examples",
    type=options.Whole(1, 8),
    help="Number of held-out examples to use if no INPUT is given; texts are truncated to 60 "
    "characters or words. [from 1 to 8; default: 1]",
)
@click.option(
    "--search",
    type=options.Whole(1),
    help="Number of held-out examples to search for states similar to a state of the first INPUT.",
)
@click.option(
    "--reference",
    type=options.Whole(0),
    help="Step of the first INPUT whose state is searched for, counted from 0. "
    "[default: the middle]",
)
@click.option(
    "--figures",
    type=options.OneOf(["png", "svg"]),
    default="png",
    help="File format of the figures. [default: png]",
)
@options.source_option("resample")
@options.source_option("date_format", default="as in training")
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
@options.device
def command(
    run: str,
    input: tuple[str, ...],
    output: str | None,
    only: list[str] | None,
    step: int | None,
    examples: int | None,
    search: int | None,
    reference: int | None,
    figures: str,
    resample: bool | None,
    date_format: str | None,
    as_json: bool,
    device: str | None,
) -> None:
    """Inspect the model in RUN as it reads each INPUT.

    Writes a page with gradients through time, gates, states, attention, the spectra of the
    recurrent weights, fixed points and attributions, with its figures as files and its numbers in
    inspection.json. RUN may be a preset with a pretrained model. Inputs are given as for predict
    or, for a forecast, as tables whose series are the inputs; the first one is shown in detail.

    \b
    Examples:
      seqzoo inspect language-id "buenos días"
      seqzoo inspect runs/reviews "not bad at all" --only gates,gradients
      seqzoo inspect language-id "buenos días" --only states --search 100 --reference 3
      seqzoo inspect runs/digits recordings/seven.wav --output seven
    """
    from seqzoo.zoo.inference.open_run import open_run
    from seqzoo.zoo.inspection.inputs import command_line_inputs, held_out_inputs

    if input and examples is not None:
        raise click.UsageError("--examples is for held-out examples; leave out either it or INPUT.")
    if date_format and not input:
        raise click.UsageError("--date-format is for the tables given as INPUT; there are none.")
    if search and only and "states" not in only:
        raise click.UsageError("--search is for the analysis states, which --only does not name.")
    opened = open_run(run, device)
    from seqzoo.tasks.inspection.report import NUMBERS, inspect, write_report

    if input:
        inputs = command_line_inputs(
            opened, input, resample=bool(resample), date_format=date_format
        )
    else:
        inputs = held_out_inputs(opened, examples or 1)
    folder = pathlib.Path(
        output or pathlib.Path("inspections") / opened.folder.resolve().name
    ).expanduser()
    searched = held_out_inputs(opened, search) if search else []
    inspection, sections = inspect(
        opened, inputs, only or (), step, search=searched, reference=reference
    )
    if not sections:
        raise click.UsageError(f"{run} has nothing to show for {', '.join(only or ())}.")
    page = write_report(folder, inspection, sections, figures)
    if as_json:
        numbers = json.loads((folder / NUMBERS).read_text(encoding="utf-8"))
        click.echo(json.dumps(numbers, ensure_ascii=False))
        return
    for section in sections:
        for name, item in section.data.items() if section.name == "gradients" else ():
            click.echo(f"Gradients of {name}: {item['summary']}")
    has = counted(len(sections), "section")
    click.echo(f"{page} has {has}; its figures and {NUMBERS} are next to it.")
