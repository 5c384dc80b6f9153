"""A test process that has grown large makes room for a fresh one.

XLA keeps every program that it compiled for as long as the process lives, and the tests compile
thousands. Between two files a process of pytest-xdist that is above `LIMIT` ends; pytest-xdist
starts another, which continues with the same test. A process that really crashes fails its test.
"""

import os
import pathlib
import tempfile
from typing import Any

import memory
import pytest

LIMIT = int(os.environ.get("SEQZOO_TEST_MEMORY", 1_700))
"""MB of a process beyond which it starts no further file; one file adds up to about 400."""

_file: pathlib.Path | None = None


def end_if_large(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Ends this process, if it is one of several and too large, before the first test of a file.

    All that the files before had set up is torn down by then, but for what the whole process
    shares.
    """
    global _file
    entered, _file = item.path != _file and _file is not None, item.path
    worker = getattr(item.config, "workerinput", None)
    if worker is None or nextitem is None or not entered or memory.resident() < LIMIT:
        return
    _mark(worker).touch()
    os._exit(0)


def tell(node: Any) -> None:
    """Says, before pytest-xdist reports a crash, that it is none."""
    reporter = node.config.pluginmanager.getplugin("terminalreporter")
    if reporter is not None and _mark(node.workerinput).exists():
        reporter.ensure_newline()
        reporter.write_line(f"{node.gateway.id} has grown above {LIMIT} MB: a new one takes over")


def go_on(crashed: str, report: Any, scheduler: Any) -> bool:
    """In the process that started the others: has a test done whose process ended by itself."""
    mark = _mark(report.node.workerinput)
    if not mark.exists():
        return False
    mark.unlink()
    # A setup that passed is neither counted nor shown.
    report.outcome, report.when, report.longrepr = "passed", "setup", None
    scheduler.mark_test_pending(crashed)
    return True


def _mark(worker: dict[str, Any]) -> pathlib.Path:
    """The file that a process leaves behind if it ends by itself."""
    name = f"seqzoo-tests-{worker['testrunuid']}-{worker['workerid']}"
    return pathlib.Path(tempfile.gettempdir()) / name
