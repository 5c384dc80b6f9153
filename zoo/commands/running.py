"""The commands that train, evaluate, run and export models."""

import functools
import json
import pathlib
import sys
from typing import Any

import click

from seqzoo.zoo.commands import completers as completing
from seqzoo.zoo.commands import options
from seqzoo.zoo.commands.program import program

# TensorFlow takes seconds to import: what needs it is imported inside the commands.


@click.command()
@click.argument("name", required=False, shell_complete=completing.trainable)
@options.source
@options.task
@options.training
@click.option(
    "--run", shell_complete=completing.runs, help="Run folder to write. [default: runs/NAME]"
)
@click.option("--resume", is_flag=True, help="Resume the training in the run folder.")
@options.device
@click.option("--quiet", is_flag=True, help="Print only the run folder.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print the run folder and its metrics as JSON."
)
@click.pass_context
def train(
    ctx: click.Context,
    name: str | None,
    run: str | None,
    resume: bool,
    device: str | None,
    quiet: bool,
    as_json: bool,
    **choices: Any,
) -> None:
    """Train NAME (a preset, a template or a configuration file) and write a run folder.

    Options override the settings of a preset or file. A template needs --data, --kind and, for a
    table, the columns --input and --target.

    \b
    Examples:
      seqzoo train language-id
      seqzoo train mnist-rows --cell gru --epochs 3 --data-dir ~/tensorflow_datasets
      seqzoo train many-to-one --data reviews.csv --kind words --input text --target label
      seqzoo train reviews.toml --epochs 5
      seqzoo train language-id --device cpu --quiet --json > trained.json
      seqzoo train --resume --run runs/language-id
    """
    from seqzoo.zoo.commands import train_summary as summary
    from seqzoo.zoo.commands import training

    given = {key: value for key, value in choices.items() if value is not None}
    if resume:
        plan = training.resumed(name, run, given, device)
    else:
        plan = training.planned(name, run, given)
    say = functools.partial(click.echo, err=as_json)
    trained = training.execute(plan, quiet=quiet, say=say, device=device)
    if as_json:
        click.echo(json.dumps(training.told(trained), ensure_ascii=False))
    else:
        click.echo(trained.run.folder if quiet else summary.summary(trained, program(ctx)))


@click.command()
@click.argument("run", shell_complete=completing.runs)
@click.option(
    "--data",
    shell_complete=completing.data,
    help="File or data set to evaluate on. [default: that of the training]",
)
@options.column
@click.option(
    "--split",
    help="Split to evaluate: train, validation, test, all, or another split of the data. "
    "[default: all of a file that --data names, else test]",
)
@click.option("--report", help="Folder to write tables and plots to.")
@click.option("--json", "as_json", is_flag=True, help="Print all metrics as JSON.")
@options.device
@options.decoding
def evaluate(
    run: str,
    split: str | None,
    report: str | None,
    as_json: bool,
    device: str | None,
    **choices: Any,
) -> None:
    """Evaluate the model in RUN on held-out examples.

    \b
    Examples:
      seqzoo evaluate runs/language-id
      seqzoo evaluate runs/reviews --data more-reviews.csv --report scores
      seqzoo evaluate runs/language-id --json > scores.json
    """
    from seqzoo.zoo.commands import answering
    from seqzoo.zoo.commands import output as reports

    decoding, given = options.parted(choices)
    figures = answering.evaluate(run, given, split, report, decoding, device)
    if as_json:
        click.echo(json.dumps(reports.figures_alone(figures), ensure_ascii=False))
    else:
        click.echo(reports.figures(figures), nl=False)


@click.command(cls=options.TextsCommand)
@click.argument("run", shell_complete=completing.runs)
@click.argument("text", nargs=-1)
@click.option("--input-file", help="File with inputs, one per line or in a column.")
@click.option("--input", help="Column of the inputs. [default: that of the training]")
@click.option(
    "--columns", callback=options.names, help="Column names of a file that has no header line."
)
@click.option("--delimiter", callback=options.delimiter, help="Field delimiter, such as ; or tab.")
@options.resample
@click.option(
    "--top", type=click.IntRange(1), default=1, help="Predictions per input. [default: 1]"
)
@click.option(
    "--format",
    "form",
    type=options.OneOf(["text", "jsonl", "csv"]),
    help="Output format: tab-separated text, JSON Lines or CSV. [default: text]",
)
@click.option("--json", "as_json", is_flag=True, help="Short for --format jsonl.")
@options.device
@options.decoding
def predict(
    run: str,
    text: tuple[str, ...],
    input_file: str | None,
    input: str | None,
    columns: list[str] | None,
    delimiter: str | None,
    resample: bool | None,
    top: int,
    form: Any,
    as_json: bool,
    device: str | None,
    **choices: Any,
) -> None:
    """Predict with the model in RUN, for TEXT arguments, standard input or a file.

    Prints one line per input, in order: the label, a tab and its probability; with --top, further
    pairs. An invalid input is reported on standard error, and the exit code is then 2. Inputs other
    than text are given as in files: the path of a sound or an image, or numbers. --input-file takes
    the formats that training reads: .txt, .csv, .tsv, .jsonl, .parquet, .npz and CoNLL.

    \b
    Examples:
      seqzoo predict runs/language-id "Zuid-Korea" "buenos días"
      seqzoo predict runs/language-id --top 3 < names.txt
      seqzoo predict runs/reviews --input-file new.csv --input text --format csv > answers.csv
      seqzoo predict runs/digits sounds/seven.wav
      seqzoo predict runs/translator --method beam --beam-width 8 "Good morning."
    """
    from seqzoo.zoo.commands import prediction_lines as predicting
    from seqzoo.zoo.data import prediction_inputs as inputs

    if as_json and form not in (None, "jsonl"):
        raise click.UsageError(f"--json is --format jsonl, not {form}; name one of them.")
    if input_file and text:
        raise click.UsageError("Name texts or --input-file, not both.")
    if not input_file and (input or columns or delimiter):
        raise click.UsageError("--input, --columns and --delimiter are for --input-file.")
    decoding, _ = options.parted(choices)
    asked: Any = sys.stdin.buffer
    if input_file:
        path = pathlib.Path(input_file).expanduser()
        asked = inputs.File(path, input, columns, delimiter, bool(resample))
    elif text:
        asked = inputs.Arguments(text)
    elif sys.stdin.isatty():
        click.echo("One input a line; end with Ctrl-D.", err=True)
    bad, form = 0, "jsonl" if as_json else form or "text"
    replies = predicting.answers(run, asked, top, form, decoding, device, resample=bool(resample))
    for answer in replies:
        click.echo(answer.text, err=answer.bad)
        bad += answer.bad
    if bad:
        raise SystemExit(2)


@click.command(cls=options.TextsCommand)
@click.argument("run", shell_complete=completing.runs)
@click.argument("text", nargs=-1)
@click.option("--count", type=click.IntRange(1), default=1, help="Texts per input. [default: 1]")
@options.resample
@options.device
@options.decoding
def generate(
    run: str,
    text: tuple[str, ...],
    count: int,
    resample: bool | None,
    device: str | None,
    **choices: Any,
) -> None:
    """Generate text with the model in RUN and print it verbatim.

    A language model continues each TEXT, or starts from nothing if there is none; other models take
    the inputs of `seqzoo predict`.

    \b
    Examples:
      seqzoo generate runs/python-source "def main(" --temperature 0.7 --longest-answer 200
      seqzoo generate runs/glyph-captioner letter.png
    """
    from seqzoo.zoo.commands import answering

    decoding, _ = options.parted(choices)
    for written in answering.generated(run, text, count, decoding, device, resample=bool(resample)):
        click.echo(written)


@click.command()
@click.argument("run", shell_complete=completing.runs)
@click.argument("folder")
@click.option(
    "--top",
    type=click.IntRange(1),
    help="Predictions per input. [default: 5; 1 for generated text]",
)
@options.device
@options.decoding
def export(run: str, folder: str, top: int | None, device: str | None, **choices: Any) -> None:
    """Export the model in RUN as a SavedModel in FOLDER.

    The SavedModel takes raw inputs (text, numbers, audio), returns labels and probabilities, and
    needs only TensorFlow to load.

    \b
    Examples:
      seqzoo export runs/language-id language-id
    """
    from seqzoo.zoo.commands import answering

    decoding, _ = options.parted(choices)
    click.echo(answering.export(run, folder, top, decoding, device))


@click.command()
@click.argument("name", shell_complete=completing.trainable)
@click.option("--cells", required=True, callback=options.names, help="Comma-separated cell names.")
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=3,
    help="Trainings per cell, each with its own seed. [default: 3]",
)
@options.source
@options.task
@options.training
@click.option("--run", help="Folder to write. [default: comparisons/NAME]")
@options.device
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
def compare(
    name: str,
    cells: list[str],
    seeds: int,
    run: str | None,
    device: str | None,
    as_json: bool,
    **choices: Any,
) -> None:
    """Compare cells on NAME at equal parameter count.

    Each cell gets the number of units that brings the whole model closest to the parameter count of
    the preset's cell or, for a template, of the first cell. Each training runs in its own process.
    Finished trainings are not repeated: the same command continues after Ctrl-C, and more cells or
    seeds add to the comparison.

    \b
    Examples:
      seqzoo compare language-id --cells vanilla,gated,lstm,gru --epochs 1
      seqzoo compare many-to-one --cells lstm,gru --data prices.tsv --kind series
      seqzoo compare reviews.toml --cells lstm,gru --seeds 5 --run comparisons/five
    """
    from seqzoo.zoo.commands import output as reports
    from seqzoo.zoo.comparison import compare as comparing

    given = {key: value for key, value in choices.items() if value is not None}
    say = functools.partial(click.echo, err=True)
    found, folder = comparing.compare(name, cells, seeds, run, given, device=device, say=say)
    if as_json:
        click.echo(json.dumps(found.to_json(), ensure_ascii=False))
    else:
        click.echo(f"{reports.table(*found.table())}\n\n{found.verdict()}")
        click.echo(f"It is in {folder}: comparison.md, .csv, .json and .png.")


COMMANDS = (train, evaluate, predict, generate, export, compare)
