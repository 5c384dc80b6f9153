"""Replaces test processes that have grown large with fresh ones.

XLA keeps every program that it compiled for as long as the process lives, and the tests compile
thousands. A pytest-xdist process that is above `LIMIT` ends before its next test file; pytest-xdist
starts another, which continues with the same test. A process that really crashes fails its test.
"""

import os
import pathlib
import tempfile
from typing import Any

import memory
import pytest

SMALLEST, LARGEST = 1_700, 6_000
"""Bounds of the memory of a process, in MB, above which it is replaced."""


def share(available: float, processes: int) -> int:
    """The memory, in MB, that a process may use before it is replaced, which takes as long as an
    import of TensorFlow: half of what is available, divided by their number."""
    return int(min(max(available / (2 * processes), SMALLEST), LARGEST))


LIMIT = share(memory.available(), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1)))
"""Memory of a process, in MB, above which it starts no new file; a file adds up to about 400."""

_file: pathlib.Path | None = None


def end_if_large(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Ends this process, if it is one of several and too large, before the first test of a file.

    By then, everything that earlier files have set up is torn down, except for what the whole
    process shares.
    """
    global _file
    entered, _file = item.path != _file and _file is not None, item.path
    worker = getattr(item.config, "workerinput", None)
    if worker is None or nextitem is None or not entered or memory.resident() < LIMIT:
        return
    _mark(worker).touch()
    os._exit(0)


def tell(node: Any) -> None:
    """Prints, before pytest-xdist reports a crash, that the process was only replaced."""
    reporter = node.config.pluginmanager.getplugin("terminalreporter")
    if reporter is not None and _mark(node.workerinput).exists():
        reporter.ensure_newline()
        reporter.write_line(f"{node.gateway.id} has grown too large: a new one takes over")


def go_on(crashed: str, report: Any, scheduler: Any) -> bool:
    """Schedules another run of a test whose process ended itself, from the controlling process.

    Returns:
        Whether the process ended itself.
    """
    mark = _mark(report.node.workerinput)
    if not mark.exists():
        return False
    mark.unlink()
    # A setup that passed is neither counted nor shown.
    report.outcome, report.when, report.longrepr = "passed", "setup", None
    scheduler.mark_test_pending(crashed)
    return True


def _mark(worker: dict[str, Any]) -> pathlib.Path:
    """The file that a process leaves behind if it ends itself."""
    name = f"seqzoo-tests-{worker['testrunuid']}-{worker['workerid']}"
    return pathlib.Path(tempfile.gettempdir()) / name
