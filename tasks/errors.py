"""The errors that users see: what was expected, what was given and what to do, in one line."""

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

NOTHING: Any = object()
"""Value of `SeqzooError.got` if an error is not about a value."""

LISTED_NAMES = 12
"""Number of names that a message lists before "and 160 more"."""

_program: ContextVar[str | None] = ContextVar("program", default=None)


class SeqzooError(Exception):
    """A mistake in data, options or files, explained in one line.

    The text is for users; code that handles an error reads the attributes. Without a message,
    the text is composed from them: "mine.toml, line 7: `units` must be at least 1, got 0."

    Attributes:
        message: the complete text; empty if it is composed from the other attributes.
        field: the dataclass field of the invalid option; empty for none.
        location: the file and line, or the example, of the mistake; empty for none.
        expected: what the field must be: "at least 1".
        got: the invalid value; `NOTHING` for none.
        hint: what to do, without a capital letter or a full stop.

    Args:
        message: the only positional argument; each of the others sets the attribute of its name.
    """

    def __init__(
        self,
        message: str = "",
        *,
        field: str = "",
        location: str = "",
        expected: str = "",
        got: Any = NOTHING,
        hint: str = "",
    ):
        super().__init__(message)
        self.message = message
        self.field = field
        self.location = location
        self.expected = expected
        self.got = got
        self.hint = hint

    def __str__(self) -> str:
        if self.message:
            return self.message
        text = f"`{self.field}` must be {self.expected}" if self.field else self.expected
        if self.got is not NOTHING:
            text += f", got {self.got!r}"
        if self.hint:
            text += f"; {self.hint}"
        if not text.endswith(("?", ".")):
            text += "."
        return f"{self.location}: {text}" if self.location else text

    def at(self, location: str) -> "SeqzooError":
        """The same error with its location: "mine.toml, line 7: ..."."""
        parts = {"field": self.field, "expected": self.expected, "hint": self.hint}
        return SeqzooError(f"{location}: {self}", location=location, got=self.got, **parts)


class Interrupted(SeqzooError):
    """Training was stopped by the user; the message says how to resume it from its last
    checkpoint."""


class WorkerLost(SeqzooError):
    """Another worker of a training run has ended, or can no longer be reached."""


class DiskFull(SeqzooError):
    """A file could not be written, because its disk is full, or because the file would exceed the
    maximum size; `location` is the file."""


def nearest(name: str, names: Iterable[str]) -> str:
    """The end of a message about an unknown name: "; did you mean 'gru'?", or a full stop."""
    matches = difflib.get_close_matches(name, list(names), n=1)
    return f"; did you mean {matches[0]!r}?" if matches else "."


def nearest_of(name: str, names: Iterable[str]) -> str:
    """Like `nearest`, but with all names if none is similar: "; choose one of gru, lstm."."""
    names = list(names)
    hint = nearest(name, names)
    return f"; choose one of {', '.join(names)}." if hint == "." else hint


def unreadable(path: str | os.PathLike[str], error: Exception) -> SeqzooError:
    """The error for a file that cannot be opened or read."""
    if isinstance(error, FileNotFoundError):
        return SeqzooError(f"There is no file {path}.")
    return SeqzooError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.")


def not_importable(subject: str, modules: Iterable[str], extra: str) -> SeqzooError:
    """The error for missing modules, with the command that installs them.

    Args:
        subject: what needs the modules: "The server".
        modules: the names of the missing modules.
        extra: the extra of this package that provides them.
    """
    from importlib import metadata

    try:
        metadata.distribution("seqzoo")
        where, package = "", "seqzoo"
    except metadata.PackageNotFoundError:  # a checkout, which need not be installed
        where, package = " in the checkout", "."
    return SeqzooError(
        f"{subject} needs {' and '.join(modules)}, which cannot be imported; install the extra"
        f"{where}: python -m pip install '{package}[{extra}]'."
    )


def check_readable(path: str | os.PathLike[str]) -> None:
    """Checks that a file can be opened, for readers that give no reason, or a wrong one.

    Raises:
        SeqzooError: the file cannot be opened.
    """
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise unreadable(path, error) from error


def check_regular(path: str | os.PathLike[str]) -> None:
    """Checks that a path is not a pipe or a device, for readers that open it more than once.

    Raises:
        SeqzooError: it is one.
    """
    if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):
        raise SeqzooError(
            f"{path} is a pipe or a device, which can be read only once; write the data to a file "
            "first, and name that."
        )


def some_of(names: Sequence[str]) -> str:
    """Names for a message; if there are many, only the first ones: "a, b, c and 160 more"."""
    more = len(names) - LISTED_NAMES
    return ", ".join(names) if more < 2 else f"{', '.join(names[:LISTED_NAMES])} and {more:,} more"


def check_instance(field: str, value: Any, kind: type | tuple[type, ...], expected: str) -> None:
    """Checks the type of an argument.

    Args:
        field: the name of the argument.
        value: its value.
        kind: the type that it must have, or a tuple of types, one of which it must have.
        expected: a description of valid values: "a list of texts".

    Raises:
        SeqzooError: the value has a different type.
    """
    if not isinstance(value, kind):
        raise SeqzooError(field=field, expected=expected, got=value)


def check_same(
    folder: object, stored: Mapping[str, Any], wanted: Mapping[str, Any], hint: str
) -> None:
    """Checks that a resumed run has the settings that it was started with.

    Args:
        folder: the folder of a run or a comparison.
        stored: the settings that it was started with.
        wanted: the current settings; a missing one counts as different.
        hint: what to do instead.

    Raises:
        SeqzooError: a setting differs; `field` names it.
    """
    for name, before in stored.items():
        now = wanted.get(name)
        if before != now:
            raise SeqzooError(
                f"{folder} was started with {name}={before!r}, got {now!r}; {hint}.",
                field=name,
                location=str(folder),
                got=now,
                hint=hint,
            )


def command(words: str) -> str:
    """A command as the user would type it, such as "seqzoo train --resume"."""
    return f"{_program.get() or 'seqzoo'} {words}"


def is_command_line() -> bool:
    """Whether the caller runs within `called`, that is, for a command and not for a program that
    imports seqzoo."""
    return _program.get() is not None


@contextmanager
def called(program: str) -> Iterator[None]:
    """A context in which `command` uses the program name as called, such as "python cli.py"."""
    token = _program.set(program)
    try:
        yield
    finally:
        _program.reset(token)
