"""The command `seqzoo predict`: prints a prediction per input."""

import pathlib
import sys
from functools import partial
from typing import Any

import click

from seqzoo.tasks.printable import printable
from seqzoo.zoo.commands import completers, options

FORMS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".conll": "conll"}
FORMS |= {".conllu": "conllu"}
"""Formats of the output, by the extension of the file that it is written to."""


@click.command("predict", cls=options.TextsCommand)
@click.argument("run", shell_complete=completers.runs)
@click.argument("text", nargs=-1)
@options.others
@click.option("--input-file", help="File with inputs, one per line or in a column.")
@options.source_option("input", default="as in training")
@options.source_option("time_column", default="as in training")
@options.source_option("sentence_column", default="as in training")
@options.source_option("date_column", default="as in training")
@options.source_option("date_format", default="as in training")
@options.source_option("series_column", default="as in training")
@options.source_option("columns", default="as in training")
@options.source_option("delimiter", default="as in training")
@options.source_option("resample")
@click.option(
    "--top",
    type=options.Whole(1),
    default=1,
    help="Number of predictions per input. [at least 1; default: 1]",
)
@click.option(
    "--format",
    "form",
    type=options.OneOf(["text", "jsonl", "csv", "conll", "conllu"]),
    help="Output format: tab-separated text, JSON Lines or CSV; for tags, also CoNLL or CoNLL-U, "
    "one word per line with its tag and probability. [default: that of --output's extension, "
    "otherwise text]",
)
@click.option(
    "--tokenize",
    type=options.OneOf(["auto", "whitespace"]),
    help="How to split sentences into words for a tagger: as in the training data, or at "
    "whitespace only. [default: auto]",
)
@click.option(
    "--attention",
    is_flag=True,
    help="Show the attention over the input for each part of the prediction.",
)
@click.option(
    "--attention-file",
    help="Plot the attention to this .png or .html file; for several inputs, numbered .png "
    "files are written.",
)
@click.option(
    "--horizon",
    type=options.Whole(1),
    help="Number of steps to forecast for each series in --input-file (template forecast). "
    "[at least 1; default: as in training]",
)
@click.option("--plot", help="Plot the history and forecasts to this .png file.")
@click.option(
    "--anomalies",
    is_flag=True,
    help="List the steps of each series whose values are far from their forecasts.",
)
@click.option("--json", "as_json", is_flag=True, help="Same as --format jsonl.")
@click.option(
    "--output",
    help="Write the predictions for --input-file to this file, with progress on standard error.",
)
@click.option(
    "--resume", is_flag=True, help="Continue writing --output where the same command stopped."
)
@options.device
@options.decoding
def command(
    run: str,
    text: tuple[str, ...],
    others: tuple[str, ...],
    input_file: str | None,
    input: str | None,
    time_column: str | None,
    sentence_column: str | None,
    date_column: str | None,
    date_format: str | None,
    series_column: str | None,
    columns: list[str] | None,
    delimiter: str | None,
    resample: bool | None,
    top: int,
    form: Any,
    tokenize: Any,
    attention: bool,
    attention_file: str | None,
    horizon: int | None,
    plot: str | None,
    anomalies: bool,
    as_json: bool,
    output: str | None,
    resume: bool,
    device: str | None,
    **choices: Any,
) -> None:
    """Predict with the model in RUN, for TEXT arguments, standard input or a file.

    RUN is a run folder, a preset with a pretrained model, or a folder or file that `seqzoo export`
    wrote for ONNX or LiteRT, which is run without TensorFlow.

    Without TEXT, or with - alone, the inputs are the lines of standard input.

    Prints one line per input, in order: the label, a tab and its probability; with --top, more such
    pairs. An invalid input is reported on standard error, and the exit code is then 2. Inputs other
    than text are given as in files: the path of an audio file or an image, or numbers. --input-file
    takes the file formats that training reads, such as .txt, .csv, .jsonl, .parquet and .npz.

    \b
    Examples:
      seqzoo predict runs/language-id "Zuid-Korea" "buenos días"
      seqzoo predict runs/language-id --top 3 < names.txt
      seqzoo predict runs/reviews-1 --with runs/reviews-2 --with runs/reviews-3 "Well done."
      seqzoo predict runs/reviews --input-file new.csv --input text --format csv > predictions.csv
      seqzoo predict runs/reviews --input-file large.parquet --output predictions.tsv
      seqzoo predict runs/digits recordings/seven.wav
      seqzoo predict runs/sales --input-file history.csv --horizon 48 --plot sales.png
      seqzoo predict date-normaliser --attention "3 mars 2021"
      seqzoo predict exported/serving.onnx --json "Zuid-Korea"
      seqzoo predict runs/upos-tagger --format conllu "Doesn't it work?"
      seqzoo predict runs/translator --method beam --beam-width 8 "Good morning."
    """
    from seqzoo.zoo.data import prediction_inputs
    from seqzoo.zoo.inference.attention_text import AttentionOutput
    from seqzoo.zoo.inference.exported import export_folder, exported_lines
    from seqzoo.zoo.inference.forecasts import forecast_text, is_forecast
    from seqzoo.zoo.inference.prediction_file import identity, write_predictions
    from seqzoo.zoo.inference.prediction_lines import prediction_lines

    if as_json and form not in (None, "jsonl"):
        raise click.UsageError(
            f"--json means --format jsonl, got --format {form}; leave one of them out."
        )
    if output and not as_json and form is None:
        form = FORMS.get(pathlib.Path(output).suffix.lower())
    if input_file == "-":
        raise click.UsageError("--input-file is a file; standard input is read without it.")
    if input_file and text:
        raise click.UsageError("Give texts or --input-file, not both.")
    if not input_file and (input or time_column or sentence_column or columns or delimiter):
        raise click.UsageError(
            "--input, --time-column, --sentence-column, --columns and --delimiter are for "
            "--input-file."
        )
    if output and (not input_file or attention_file):
        raise click.UsageError("--output is for --input-file, without --attention-file.")
    if resume and not output:
        raise click.UsageError(
            "--resume continues the file that --output names; add --output FILE."
        )
    if others and (attention or attention_file):
        raise click.UsageError(
            "--attention shows the attention of a single model; leave --with out."
        )
    exported = export_folder(run)
    if exported is not None:
        unsupported = {
            "--with": others,
            "--input-file": input_file,
            "--output": output,
            "--attention": attention or attention_file,
            "--tokenize": tokenize,
            "--resample": resample,
            "--device gpu": device == "gpu",
            "--horizon": horizon,
            "--plot": plot,
            "--anomalies": anomalies,
        }
        for option, value in unsupported.items():
            if value:
                raise click.UsageError(
                    f"{option} is for runs, and {run} is an exported model, which takes texts, "
                    "files or lines from standard input; name the run instead."
                )
    if exported is None and is_forecast(run):
        if others and anomalies:
            raise click.UsageError("--anomalies takes a single run; leave --with out.")
        if output:
            raise click.UsageError("A forecast is printed; leave --output out, and use > FILE.")
        if not input_file:
            raise click.UsageError("A forecast needs --input-file, a table with the history.")
        if anomalies and (horizon or plot):
            raise click.UsageError(
                "--anomalies lists steps of the past; leave --horizon and --plot out."
            )
        if form not in (None, "text", "csv", "jsonl"):
            raise click.UsageError(f"A forecast is printed as text, csv or jsonl, not {form}.")
        others_only = {
            "--input": input,
            "--time-column": time_column,
            "--sentence-column": sentence_column,
            "--resample": resample,
            "--top": top > 1,
            "--tokenize": tokenize,
            "--attention": attention or attention_file,
            **dict.fromkeys(options.decoding_flags(choices), True),
        }
        for option, value in others_only.items():
            if value:
                raise click.UsageError(
                    f"{option} is not for forecasts, and {run} is a run of the `forecast` "
                    "template; leave it out."
                )
        given = {
            "date_column": date_column,
            "date_format": date_format,
            "series_column": series_column,
            "columns": columns,
            "delimiter": delimiter,
        }
        lines = forecast_text(
            run,
            input_file,
            given=options.given(given),
            horizon=horizon,
            form="jsonl" if as_json else form or "text",
            plot=plot,
            anomalies=anomalies,
            device=device,
            others=others,
        )
        for line in lines:
            click.echo(line.text, err=line.aside, color=True)
        return
    if horizon or plot or anomalies or date_column or date_format or series_column:
        raise click.UsageError(
            "--horizon, --plot, --anomalies, --date-column, --date-format and --series-column are "
            "for runs of the `forecast` template."
        )
    decoding, _ = options.split_choices(choices)
    # Python has no standard input if it was closed before the start.
    typed = sys.stdin is not None and sys.stdin.isatty()
    if text == ("-",) and not typed:
        text = ()
    inputs: Any = None
    if input_file:
        path = pathlib.Path(input_file).expanduser()
        inputs = prediction_inputs.File(
            path, input, time_column, sentence_column, columns, delimiter, bool(resample)
        )
    elif text:
        inputs = text
    elif sys.stdin is None:
        raise click.UsageError("Standard input is closed; give texts or --input-file.")
    else:
        inputs = sys.stdin.buffer
        if typed:
            click.echo("One input per line; end with Ctrl-D.", err=True)
    form = "jsonl" if as_json else form or "text"
    shows_attention = bool(attention or attention_file)
    if shows_attention and form not in ("text", "jsonl"):
        raise click.UsageError(
            f"--attention is printed as text or as JSON; leave --format {form} out."
        )
    failed = False
    if exported is not None:
        lines = exported_lines(exported, inputs, top, form, decoding)
    else:
        predict_lines = partial(
            prediction_lines,
            run,
            inputs,
            top,
            form,
            decoding,
            device,
            resample=bool(resample),
            attention=AttentionOutput(attention_file) if shows_attention else None,
            tokenize=tokenize,
            others=others,
        )
        if output:
            chosen = {
                "decoding": decoding,
                "top": top,
                "format": form,
                "tokenize": tokenize,
                "attention": shows_attention,
                "read": [input, time_column, sentence_column, columns, delimiter, resample],
            }
            settings = {"run": [identity(name) for name in (run, *others)], "option": chosen}
            valid = write_predictions(
                pathlib.Path(output).expanduser(),
                predict_lines,
                inputs.path,
                settings,
                partial(click.echo, err=True),
                resume=resume,
            )
            raise SystemExit(0 if valid else 2)
        lines = predict_lines()
    for line in lines:
        shown = printable(line.text) if line.bad or line.aside else line.text
        # `color`, so that click leaves control characters in CSV as they are
        click.echo(shown, err=line.bad or line.aside, color=True)
        failed |= line.bad
    if failed:
        raise SystemExit(2)
