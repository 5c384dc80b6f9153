"""Starts and stops the worker processes of a search, and exchanges messages with them."""

import contextlib
import json
import os
import pathlib
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from seqzoo.zoo.comparison.processes import environment
from seqzoo.zoo.hyperparameters.layout import log_file

PROGRAM: tuple[str, ...] = (sys.executable, "-P", "-m", "seqzoo.zoo.hyperparameters.worker")
"""The command of a worker, without its arguments. It imports no modules from the folder that it is
started in."""

SECONDS_TO_SAVE = 60.0
"""Seconds that a worker has to write a checkpoint when it is stopped, before it is killed."""


class Worker:
    """A process that trains one trial after another.

    Args:
        index: its index, from 1.
        folder: the folder of the search.
        device: the device to train on, or None.
        events: receives the worker with each of its events, and with None when it has exited.
        cores: the processor cores that it may use; empty for all.
        shared: whether other workers may use the same GPU.
    """

    def __init__(
        self,
        index: int,
        folder: pathlib.Path,
        device: str | None,
        events: "queue.Queue[tuple[Worker, Mapping[str, Any] | None]]",
        cores: set[int],
        *,
        shared: bool,
    ):
        self.index = index
        self.number: int | None = None
        """The trial that is being trained, or None."""
        self.ready = False
        self.ended = False
        self._events = events
        self._log = log_file(folder, index)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        receiver, sender = os.pipe()
        # Otherwise TensorFlow would allocate all memory of a GPU for the first worker.
        variables = {"TF_FORCE_GPU_ALLOW_GROWTH": "true"} if shared else {}
        with open(self._log, "wb") as log:
            self.process = subprocess.Popen(
                [*PROGRAM, str(folder), device or "", str(sender)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**environment(), **variables},
                pass_fds=[sender],
                start_new_session=True,  # otherwise a terminal would send it Ctrl-C a second time
            )
        os.close(sender)
        if cores:
            try:
                os.sched_setaffinity(self.process.pid, cores)
            except ProcessLookupError:
                pass
        self._thread = threading.Thread(target=self._read, args=(receiver,), daemon=True)
        self._thread.start()

    def _read(self, receiver: int) -> None:
        with open(receiver, encoding="utf-8") as lines:
            for line in lines:
                self._events.put((self, json.loads(line)))
        self.process.wait()
        self._events.put((self, None))

    def send(self, **message: Any) -> None:
        """Sends a message; an empty one means that there are no more trials."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # the reader reports that the worker has exited

    def stop(self) -> None:
        """Asks it to write a checkpoint and to exit."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kills it immediately."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # of a message that was never read
                self.process.stdin.close()

    def reason(self) -> str:
        """A sentence that says why it exited."""
        code = self.process.wait()
        if code < 0:
            name = signal.Signals(-code).name
            hint = "; there may not have been enough memory" if code == -signal.SIGKILL else ""
            return f"Its process was killed by {name}{hint}."
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        last_line = f": {lines[-1].strip()}" if lines else "."
        return f"Its process ended with exit code {code}{last_line}"


def running(workers: Sequence[Worker]) -> list[Worker]:
    """The workers that have not exited."""
    return [worker for worker in workers if not worker.ended]
