"""Runs Python processes, measures them, and stops them on Ctrl-C and at the end of this process.

Nothing here imports TensorFlow: the system counts the memory of a parent process towards the peak
of its child, so the parent has to stay small.
"""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seqzoo.tasks.training.clusters import STARTER

STOPPED = 130
"""Exit code of a command that was ended by Ctrl-C."""


@dataclass(frozen=True)
class Ended:
    """A finished process.

    Attributes:
        code: its exit code; negative if a signal ended it.
        output: its standard output.
        errors: its standard error.
        peak_bytes: its largest resident memory.
    """

    code: int
    output: str
    errors: str
    peak_bytes: int

    @property
    def reason(self) -> str:
        """Why it failed: the last line of its standard error."""
        lines = self.errors.strip().splitlines()
        return lines[-1].removeprefix("Error: ") if lines else f"it exited with code {self.code}"


def run(command: Sequence[str], variables: dict[str, str]) -> Ended:
    """Runs a Python process and measures its memory.

    Ctrl-C is passed on to it once, as SIGTERM, so that it can write a checkpoint; a second one
    kills it. If this process is killed, `local_workers.end_with_starter` ends the other one, which
    has to call it.

    Args:
        command: the program and its arguments.
        variables: environment variables, in addition to those of this process.
    """
    receiver, sender = os.pipe()
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors, open(sender, "wb"):
        try:
            # In a separate session; otherwise a terminal would send it Ctrl-C a second time.
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                env={**environment(), STARTER: str(receiver), **variables},
                pass_fds=[receiver],
                start_new_session=True,
            )
        finally:
            os.close(receiver)
        # Not SIGINT, which it ignores if this process was started in the background.
        signals = [signal.SIGTERM, signal.SIGKILL]
        while True:
            try:
                _, status, usage = os.wait4(process.pid, 0)
                break
            except KeyboardInterrupt:
                process.send_signal(signals.pop(0) if len(signals) > 1 else signals[0])
        process.returncode = os.waitstatus_to_exitcode(status)
        output_text, error_text = (_read(file) for file in (output, errors))
    code = process.returncode if len(signals) > 1 else STOPPED  # whatever its exit code is
    scale = 1 if sys.platform == "darwin" else 1024
    return Ended(code, output_text, error_text, usage.ru_maxrss * scale)


def _read(file: Any) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")


def environment() -> dict[str, str]:
    """Environment variables with which `python -m seqzoo.cli` runs this package, even if it is not
    installed."""
    import seqzoo

    package_folder = os.path.dirname(os.path.abspath(str(seqzoo.__file__)))
    if os.path.basename(str(seqzoo.__file__)) == "__init__.py":  # installed: not in a checkout
        package_folder = os.path.dirname(package_folder)
    paths = [package_folder, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
