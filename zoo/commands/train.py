"""The command `seqzoo train`: trains a model and writes a run folder."""

import functools
import json
import os
import shlex
import sys
from typing import Any

import click

from seqzoo.tasks.errors import WorkerLost
from seqzoo.tasks.errors import command as command_line
from seqzoo.tasks.training.clusters import STARTER, STRATEGIES
from seqzoo.zoo.commands import completers, options
from seqzoo.zoo.commands.program import program

ARGUMENTS = "seqzoo.train.arguments"
"""Key in the command's context for the arguments as typed."""


class TrainCommand(options.Command):
    """A command that remembers how it was called, for the workers that it starts."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[ARGUMENTS] = list(args)
        return super().parse_args(ctx, args)


@click.command("train", cls=TrainCommand)
@click.argument("name", required=False, shell_complete=completers.trainable)
@click.option(
    "--from",
    "start_from",
    shell_complete=completers.runs,
    help="Run, or preset with a pretrained model, to fine-tune: training starts from its weights "
    "and preprocessing.",
)
@options.source
@options.task
@options.training
@click.option(
    "--run",
    shell_complete=completers.runs,
    help="Run folder to write. [default: runs/NAME, or runs/NAME-2 and so on if it exists]",
)
@click.option("--resume", is_flag=True, help="Resume training in the run folder.")
@options.device
@click.option(
    "--workers",
    type=options.Whole(1),
    help="Number of data-parallel worker processes; they are started on this machine unless "
    "--distribute is given. [at least 1]",
)
@click.option(
    "--distribute",
    type=options.OneOf(STRATEGIES),
    help="Train on all GPUs of this machine (mirrored), or on the workers that TF_CONFIG, SLURM or "
    "Kubernetes names (multi-worker).",
)
@click.option(
    "--repeat",
    type=options.Whole(2),
    help="Train this many times, with --seed and the seeds after it, for the mean and standard "
    "deviation of the scores. Not with --from, --workers or --distribute. [at least 2]",
)
@click.option(
    "--folds",
    type=options.Whole(2),
    help="Cross-validate: train this many times, each time holding out a different fold of the "
    "training and validation examples to score on. Not with --from, --workers or --distribute. "
    "[at least 2]",
)
@click.option("--quiet", is_flag=True, help="Print only the run folder.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print the run folder and its metrics as JSON."
)
@click.pass_context
def command(
    ctx: click.Context,
    name: str | None,
    start_from: str | None,
    run: str | None,
    resume: bool,
    device: str | None,
    workers: int | None,
    distribute: str | None,
    repeat: int | None,
    folds: int | None,
    quiet: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Train from NAME (a preset, template or configuration file) and write a run folder.

    Options override the settings of a preset or file. A template needs --data and, if it takes
    several types of input, --kind; for a table, also its columns, such as --input and --target.
    --from RUN takes --kind and the layer sizes from RUN and, without NAME, all other settings too.

    \b
    Examples:
      seqzoo train language-id
      seqzoo train mnist-rows --cell gru --epochs 3 --data-dir ~/tensorflow_datasets
      seqzoo train many-to-one --data reviews.csv --kind words --input text --target label
      seqzoo train reviews.toml --epochs 5
      seqzoo train language-id --device cpu --quiet --json > trained.json
      seqzoo train --from language-id --data names.csv --input name --target country
      seqzoo train --resume --run runs/language-id
      seqzoo train language-id --repeat 5 --epochs 2
      seqzoo train reviews.toml --folds 5
      seqzoo train language-id --workers 2
      srun seqzoo train language-id --run /shared/lid --distribute multi-worker
    """
    from seqzoo.zoo.training.local_workers import LOST, end_with_starter, run_workers
    from seqzoo.zoo.training.repeat import is_repetition
    from seqzoo.zoo.training.repeat import repeat as train_repeatedly
    from seqzoo.zoo.training.summary import summary
    from seqzoo.zoo.training.train import folder_of, plan_new, plan_resumed, run_plan

    given = options.given(settings)
    resumed = folder_of(name, run, given, start_from, device, resume=True) if resume else None
    if resumed is not None and not (repeat or folds) and is_repetition(resumed):
        raise click.UsageError(
            f"{resumed} has several training runs; resume them with --repeat or --folds, as they "
            "were started."
        )
    if repeat or folds:
        if start_from or workers or distribute:
            raise click.UsageError(
                "--repeat and --folds cannot be combined with --from, --workers or --distribute."
            )
        if repeat and folds:
            raise click.UsageError("Give --repeat or --folds, not both.")
        repetition = train_repeatedly(
            name,
            seeds=repeat,
            folds=folds,
            folder=run,
            resume=resume,
            quiet=quiet or as_json,
            device=device,
            print_fn=functools.partial(click.echo, err=True),
            **given,
        )
        if as_json:
            click.echo(json.dumps(repetition.to_json(), ensure_ascii=False))
        else:
            click.echo(repetition.folder if quiet else repetition.text())
        return
    shared = distribute == "multi-worker"
    if workers is not None and distribute is None and workers > 1:
        folder = folder_of(name, run, given, start_from, device, resume=resume)
        arguments = ["train", "--distribute", "multi-worker"]
        arguments += [] if resume else ["--run", str(folder)]
        to_resume = f"train --resume --run {shlex.quote(str(folder))} --workers {workers}"
        arguments += ctx.meta[ARGUMENTS]
        ctx.exit(run_workers(workers, arguments, folder, command_line(to_resume)))
    end_with_starter()
    if resume:
        plan = plan_resumed(name, run, given, device, start_from)
    else:
        plan = plan_new(name, run, given, start_from, device, shared=shared)
    print_fn = functools.partial(click.echo, err=as_json)
    try:
        trained = run_plan(
            plan,
            quiet=quiet,
            print_fn=print_fn,
            device=device,
            distribute=distribute,
            workers=workers,
        )
    except WorkerLost:
        if STARTER not in os.environ:
            raise
        sys.stderr.flush()
        os._exit(LOST)  # the process that started the workers reports which one was lost
    if trained is None:
        return  # the chief reports the result
    if as_json:
        click.echo(json.dumps(trained.to_json(), ensure_ascii=False))
    else:
        click.echo(trained.run.folder if quiet else summary(trained, program(ctx)))
