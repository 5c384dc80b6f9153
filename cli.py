"""The command line: trains, evaluates, runs and exports sequence models."""

import os
import pathlib
import re
import stat
import sys
from typing import Any

import click
from click.shell_completion import CompletionItem

from seqzoo.tasks.atomic_files import full_disk, is_full, is_too_large
from seqzoo.tasks.errors import Interrupted, SeqzooError, called, nearest
from seqzoo.tasks.printable import printable
from seqzoo.zoo.commands.program import program
from seqzoo.zoo.commands.registry import COMMANDS
from seqzoo.zoo.stopping import handling_signals

MODELS = pathlib.Path(__file__).resolve().parent / "zoo" / "models"
"""Folder of the models that come with the package."""


class Mistake(click.ClickException):
    """A user's mistake: one line on standard error, exit code 2."""

    exit_code = 2

    def __init__(self, message: str):
        super().__init__(printable(" ".join(message.split())))


class Commands(click.Group):
    """A group that imports a command only when it is called, and prints each of the library's
    errors as one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        from seqzoo.zoo.commands.options import check_paths

        return check_paths(COMMANDS[cmd_name].load())

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.summary) for name, command in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        names = [
            CompletionItem(name, help=command.summary)
            for name, command in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            raise click.UsageError(f"No such command {name!r}{nearest(name, COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        try:
            return super().make_context(*args, **kwargs)
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:  # of an option before the command
            raise Mistake(error.format_message()) from error

    def main(self, *args: Any, **kwargs: Any) -> Any:
        _open_closed_streams()
        try:
            return super().main(*args, **kwargs)
        except OSError as error:  # of --help and --version; `invoke` has its own
            if not is_full(error):
                raise
            click.echo(f"Error: {_full_disk(error)}", err=True)
            sys.exit(2)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with called(program(ctx)), handling_signals():
                return super().invoke(ctx)
        except Interrupted as interruption:
            click.echo(printable(_with_short_names(interruption)), err=True)
            ctx.exit(130)
        except KeyboardInterrupt:
            click.echo("Stopped.", err=True)
            ctx.exit(130)
        except SeqzooError as error:
            raise Mistake(_with_short_names(error)) from error
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            raise Mistake(error.format_message()) from error
        except BrokenPipeError:  # `| head` has read enough; click exits quietly
            raise
        except OSError as error:
            if is_full(error):
                raise Mistake(_with_short_names(_full_disk(error))) from error
            about = error.filename or "A file cannot be read or written"
            raise Mistake(f"{about}: {error.strerror or error}.") from error
        except Exception as error:
            if is_full(error):
                raise Mistake(_with_short_names(_full_disk(error))) from error
            if not _is_out_of_memory(error):
                raise
            raise Mistake(
                "There is not enough memory for this; use fewer units, a smaller batch, "
                "shorter sequences or a narrower beam."
            ) from error


def _open_closed_streams() -> None:
    """Opens the null device for standard streams that were closed before the start, which are None.

    Files that are opened later would otherwise get the descriptors of these streams, and with them
    what native code writes there.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:  # the lowest that is closed
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")


def _full_disk(error: Exception) -> str:
    """The error message for a full disk, or for a file that would exceed the maximum size; names
    the file, or standard output, if it is known."""
    path = getattr(error, "filename", None)
    if path:
        return full_disk(path, error)
    if not _output_has_room():
        return (
            "Standard output cannot be written, because its disk is full; what has been written so "
            "far is kept. Make room there, or write to another disk."
        )
    reason = " ".join(str(error).split())
    if is_too_large(error):
        return (
            f"A file cannot be written, because it would exceed the maximum size ({reason}). Raise "
            "the limit (`ulimit -f`), or write to another disk."
        )
    return f"A file cannot be written, because its disk is full ({reason}). Make room there."


def _output_has_room() -> bool:
    """Whether standard output is neither a file on a full disk nor /dev/full."""
    output = os.fstat(1)
    if stat.S_ISREG(output.st_mode):
        return os.fstatvfs(1).f_bavail > 0
    return not (stat.S_ISCHR(output.st_mode) and output.st_rdev == os.makedev(1, 7))


def _is_out_of_memory(error: Exception) -> bool:
    tensorflow = sys.modules.get("tensorflow")
    types = (MemoryError, tensorflow.errors.ResourceExhaustedError) if tensorflow else MemoryError
    return isinstance(error, types)


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if not value:
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
    """Train, evaluate, run and export recurrent sequence models.

    \b
    Examples:
      seqzoo train language-id
      seqzoo predict runs/language-id "Zuid-Korea"
      seqzoo list presets
      seqzoo show language-id
      seqzoo compare language-id --cells lstm,gru --epochs 1
    """


def _with_short_names(message: object) -> str:
    """A message of the library in which paths are relative to the current folder, and the models
    that come with the package are given by name."""
    text = str(message)
    try:
        folders = [MODELS, pathlib.Path.cwd()]
    except FileNotFoundError:  # the current folder has been removed
        folders = [MODELS]
    for folder in folders:
        if folder != pathlib.Path("/"):  # every absolute path starts with it
            # Replaced only at the beginning of a path.
            text = re.sub(rf"(?<![\w./~-]){re.escape(str(folder))}/", "", text)
    return text


if __name__ == "__main__":
    main()
