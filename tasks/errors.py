"""The errors that a person gets to read: one line, what was expected, what came, what to do."""

import difflib
from collections.abc import Iterable


class SeqzooError(Exception):
    """A mistake in data, choices or files that its message explains in one line."""


class Interrupted(SeqzooError):
    """Training was stopped by the user after a checkpoint was written; the message says how to
    go on."""


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: "; did you mean 'gru'?", or a full stop."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else "."
