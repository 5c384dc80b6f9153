"""The command line: trains, scores, asks and exports sequence models."""

import json
import pathlib
import sys
from typing import Any

import click

from seqzoo.tasks.errors import Interrupted, SeqzooError
from seqzoo.zoo.commands import options

# TensorFlow takes seconds to import: what needs it is imported inside the commands.


class Mistake(click.ClickException):
    """A user's mistake: one line on standard error, exit code 2."""

    exit_code = 2

    def __init__(self, message: str):
        super().__init__(" ".join(message.split()))


class Commands(click.Group):
    """A group of commands that turns the library's errors into one line each."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Interrupted as stop:
            click.echo(_as_called(ctx, stop), err=True)
            ctx.exit(130)
        except KeyboardInterrupt:
            click.echo("Stopped.", err=True)
            ctx.exit(130)
        except SeqzooError as error:
            raise Mistake(_as_called(ctx, error)) from error
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            raise Mistake(error.format_message()) from error
        except BrokenPipeError:  # `| head` has read enough; click ends quietly
            raise
        except OSError as error:
            raise Mistake(f"{error.filename or 'A file'}: {error.strerror or error}.") from error
        except Exception as error:
            if not _is_lack_of_memory(error):
                raise
            raise Mistake(
                "There is not enough memory for this; try fewer units, a smaller batch, or "
                "--maximum-length."
            ) from error


def _is_lack_of_memory(error: Exception) -> bool:
    tensorflow = sys.modules.get("tensorflow")
    kinds = (MemoryError, tensorflow.errors.ResourceExhaustedError) if tensorflow else MemoryError
    return isinstance(error, kinds)


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted:
        return
    project = pathlib.Path(__file__).parent / "pyproject.toml"
    if project.exists():  # a checkout, which need not be installed
        import tomllib

        version = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"]
    else:
        from importlib import metadata

        version = metadata.version("seqzoo")
    click.echo(f"seqzoo {version}")
    ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Show the version and exit.",
)
def main() -> None:
    """Recurrent sequence models: train one, score it, ask it, export it.

    \b
    Examples:
      seqzoo train language-id
      seqzoo predict runs/language-id "guten Morgen"
      seqzoo list presets
    """


@main.command()
@click.argument("name", required=False)
@options.source
@options.task
@options.training
@click.option("--run", help="Run folder to write. [default: runs/NAME]")
@click.option("--resume", is_flag=True, help="Go on with the training that was begun there.")
@click.option("--quiet", is_flag=True, help="Print nothing but where the run is.")
@click.pass_context
def train(
    ctx: click.Context, name: str | None, run: str | None, resume: bool, quiet: bool, **choices: Any
) -> None:
    """Train NAME, a preset or the template many-to-one, and write a run folder.

    Options override a preset's choices. A template needs --data, --kind and, for a file, the
    columns --input and --target.

    \b
    Examples:
      seqzoo train language-id
      seqzoo train mnist-rows --cell gru --epochs 3 --data-dir ~/tensorflow_datasets
      seqzoo train many-to-one --data reviews.csv --kind words --input text --target label
      seqzoo train --resume --run runs/language-id
    """
    from seqzoo.zoo.commands import summary, training

    given = {key: value for key, value in choices.items() if value is not None}
    plan = (training.resumed if resume else training.planned)(name, run, given)
    trained = training.execute(plan, quiet=quiet, say=click.echo)
    click.echo(trained.run.folder if quiet else summary.summary(trained, _program(ctx)))


@main.command()
@click.argument("run")
@click.option("--data", help="File or data set to score on; by default that of the training.")
@options.column
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "test", "all"]),
    help="Examples to score on. [default: all of a file that --data names, else test]",
)
@click.option("--report", help="Folder to write tables and plots to.")
@click.option("--json", "as_json", is_flag=True, help="Print all figures as JSON.")
@options.decoding
def evaluate(
    run: str, split: str | None, report: str | None, as_json: bool, **choices: Any
) -> None:
    """Score the model in the folder RUN on held-out examples.

    \b
    Examples:
      seqzoo evaluate runs/language-id
      seqzoo evaluate runs/reviews --data more-reviews.csv --report scores
      seqzoo evaluate runs/language-id --json > scores.json
    """
    from seqzoo.zoo.commands import answering, reports

    decoding, given = options.parted(choices)
    figures = answering.evaluate(run, given, split, report, decoding)
    if as_json:
        click.echo(json.dumps(figures, ensure_ascii=False))
    else:
        click.echo(reports.figures(figures), nl=False)


@main.command()
@click.argument("run")
@click.argument("text", nargs=-1)
@click.option("--top", type=click.IntRange(1), default=1, help="Answers a line. [default: 1]")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line.")
@options.decoding
def predict(run: str, text: tuple[str, ...], top: int, as_json: bool, **choices: Any) -> None:
    """Ask the model in the folder RUN: each TEXT, or each line of standard input.

    One answer a line, in order: the label, a tab, its probability; with --top, further pairs. A
    line that cannot be answered is named on standard error, and the exit code is then 2. Inputs
    that are no text are given as in files: the path of a sound or an image, or numbers.

    \b
    Examples:
      seqzoo predict runs/language-id "guten Morgen" "buenos días"
      seqzoo predict runs/language-id --top 3 < names.txt
      seqzoo predict runs/digits sounds/seven.wav
      seqzoo predict runs/translator --method beam --beam-width 8 "Good morning."
    """
    from seqzoo.zoo.commands import answering

    decoding, _ = options.parted(choices)
    lines = [line.encode("utf-8", "surrogateescape") for line in text] if text else None
    if lines is None and sys.stdin.isatty():
        click.echo("One input a line; end with Ctrl-D.", err=True)
    bad = 0
    for answer in answering.answers(run, lines or sys.stdin.buffer, top, as_json, decoding):
        click.echo(answer.text, err=answer.bad)
        bad += answer.bad
    if bad:
        raise SystemExit(2)


@main.command()
@click.argument("run")
@click.argument("text", nargs=-1)
@click.option("--count", type=click.IntRange(1), default=1, help="Texts an input. [default: 1]")
@options.decoding
def generate(run: str, text: tuple[str, ...], count: int, **choices: Any) -> None:
    """Write texts with the model in the folder RUN, as they are, line ends and all.

    A language model goes on from each TEXT, or begins by itself where there is none; other models
    take inputs as `seqzoo predict` does, and answer the same.

    \b
    Examples:
      seqzoo generate runs/python-source "def main(" --temperature 0.7 --longest-answer 200
      seqzoo generate runs/glyph-captioner letter.png
    """
    from seqzoo.zoo.commands import answering

    decoding, _ = options.parted(choices)
    for written in answering.generated(run, text, count, decoding):
        click.echo(written)


@main.command()
@click.argument("run")
@click.argument("folder")
@click.option("--top", type=click.IntRange(1), help="Answers an input. [default: 5, 1 of texts]")
@options.decoding
def export(run: str, folder: str, top: int | None, **choices: Any) -> None:
    """Export the model in the folder RUN as a SavedModel in FOLDER.

    It takes raw inputs (text, numbers, sound), returns labels and probabilities, and needs
    TensorFlow alone to load.

    \b
    Examples:
      seqzoo export runs/language-id language-id
    """
    from seqzoo.zoo.commands import answering

    click.echo(answering.export(run, folder, top, options.parted(choices)[0]))


@main.command("list")
@click.argument(
    "what", required=False, type=click.Choice(["cells", "templates", "presets", "datasets"])
)
@click.argument("pattern", default="*")
def list_(what: str | None, pattern: str) -> None:
    """List cells, templates, presets or data sets whose names match PATTERN.

    \b
    Examples:
      seqzoo list
      seqzoo list presets "mnist-*"
    """
    from seqzoo.zoo.commands import reports

    click.echo(reports.listing(what, pattern), nl=False)


def _as_called(ctx: click.Context, message: object) -> str:
    """A message of the library, which tells what to type as if the command were installed."""
    return str(message).replace("seqzoo train", f"{_program(ctx)} train")


def _program(ctx: click.Context) -> str:
    """How this program was called, for the commands that it suggests."""
    called = ctx.find_root().info_name or "seqzoo"
    return f"python {sys.argv[0]}" if called.endswith(".py") else "seqzoo"


if __name__ == "__main__":
    main()
