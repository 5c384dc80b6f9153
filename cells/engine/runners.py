"""Runners run a layer over a sequence: an exporter can replace the layer's loop by its own."""

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from typing import Any

Runner = Callable[[Any, Any, list, Any], tuple[Any, Any, list]]
"""(layer, sequences (batch, time, features), initial states, mask (batch, time) or None) -> the
last output (batch, units), the outputs (batch, time, units) in the order of running, and the last
states."""

_runner: contextvars.ContextVar[Runner | None] = contextvars.ContextVar("runner", default=None)


@contextlib.contextmanager
def run_by(runner: Runner | None) -> Iterator[None]:
    """A context in which each `Recurrent` layer that is traced is run by `runner`, or by its own
    loops."""
    token = _runner.set(runner)
    try:
        yield
    finally:
        _runner.reset(token)


def chosen_runner() -> Runner | None:
    """The runner of the layers that are being traced; None for the layer's own loops."""
    return _runner.get()
