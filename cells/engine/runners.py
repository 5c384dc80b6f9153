"""Runners: functions with which exporters replace the loop of a layer over a sequence."""

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from typing import Any

Runner = Callable[[Any, Any, list, Any], tuple[Any, Any, list]]
"""(layer, sequences (batch, time, features), initial states, mask (batch, time) or None) -> the
last output (batch, units), the outputs (batch, time, units) in the order in which the steps run,
and the list of last states."""

_runner: contextvars.ContextVar[Runner | None] = contextvars.ContextVar("runner", default=None)


@contextlib.contextmanager
def run_by(runner: Runner | None) -> Iterator[None]:
    """A context in which `runner` runs all `Recurrent` layers; None for their own loops."""
    token = _runner.set(runner)
    try:
        yield
    finally:
        _runner.reset(token)


def chosen_runner() -> Runner | None:
    """The runner that `run_by` has set; None for the layers' own loops."""
    return _runner.get()
