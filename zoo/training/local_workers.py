"""`seqzoo train --workers`: starts, watches and stops workers on this machine."""

import contextlib
import json
import math
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from seqzoo.tasks.errors import Interrupted, SeqzooError
from seqzoo.tasks.runs.layout import CONFIG, LOGS
from seqzoo.tasks.training.clusters import STARTER

SECONDS_TO_NOTICE = 40.0
"""Seconds within which workers notice that another worker is lost; TensorFlow takes about 10."""

SECONDS_TO_LEAVE = 10.0
"""Seconds that a worker has to exit after SIGTERM before it is killed, and that the others have to
exit after a signal has stopped a worker: in training they have agreed to, but those that still wait
for a connection would not notice."""

LOST = 75
"""Exit code of a worker that exits because another was lost."""

STOPPED = (130, -signal.SIGINT, -signal.SIGTERM)
"""Exit codes of a worker that was asked to stop; negative before it can handle signals."""


def run_workers(count: int, arguments: Sequence[str], folder: pathlib.Path, resume: str) -> int:
    """Runs a command in several processes, the workers in TF_CONFIG, and waits for them.

    The first worker, the chief, shares the standard output and error of this process; the output of
    the others goes to FOLDER/logs/worker-1.log, and so on.

    Args:
        count: number of workers.
        arguments: the command-line arguments, without the name of the program.
        folder: the run folder.
        resume: the command that resumes the training run.

    Returns:
        The exit code of the chief.

    Raises:
        SeqzooError: a worker failed, or the workers lost contact with each other.
        Interrupted: a signal has stopped a worker other than the chief before training.
    """
    addresses = free_addresses(count)
    receiver, sender = os.pipe()
    workers: list[Worker] = []
    try:
        cores = share_of_cores(count)
        for index in range(count):
            workers.append(Worker(index, addresses, arguments, folder, receiver, cores[index]))
        os.close(receiver)
        with _passing_signals(workers):
            codes = _wait(workers)
    finally:
        for worker in workers:
            worker.end()
        os.close(sender)
    failed = [item for item, code in zip(workers, codes, strict=True) if code not in (0, LOST)]
    if codes[0] not in (0, LOST) and codes[0] > 0:
        return codes[0]  # the chief has reported the reason
    if not failed and LOST not in codes:
        return 0
    reason = failed[0].describe_end() if failed else "The workers lost contact with each other."
    hint = f" To resume: {resume}" if (folder / CONFIG).exists() else ""
    stopped = failed and failed[0].process.returncode in STOPPED
    raise (Interrupted if stopped else SeqzooError)(reason + hint)


class Worker:
    """A worker process.

    Args:
        index: its index; 0 is the chief.
        addresses: the addresses of all workers.
        arguments: the command-line arguments.
        folder: the run folder, for the log.
        receiver: the reading end of a pipe that closes when this process ends.
        cores: the processor cores that the worker may use; empty for all.
    """

    def __init__(
        self,
        index: int,
        addresses: Sequence[str],
        arguments: Sequence[str],
        folder: pathlib.Path,
        receiver: int,
        cores: set[int],
    ):
        self.index = index
        self.log = folder / LOGS / f"worker-{index}.log"
        self._folder = folder
        config = {
            "cluster": {"worker": list(addresses)},
            "task": {"type": "worker", "index": index},
        }
        streams: dict[str, Any] = {}
        if index > 0:
            streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        self.process = subprocess.Popen(
            [sys.executable, sys.argv[0], *arguments],
            env={**os.environ, "TF_CONFIG": json.dumps(config), STARTER: str(receiver)},
            pass_fds=[receiver],
            stdin=subprocess.DEVNULL,
            **streams,
        )
        if cores:
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(self.process.pid, cores)
        self._held = b""
        self._reader: threading.Thread | None = None
        if index > 0:
            self._reader = threading.Thread(target=self._read, daemon=True)
            self._reader.start()

    def end(self) -> None:
        """Stops the process if it is still running, and writes the rest of its output."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(SECONDS_TO_LEAVE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self._reader is not None:
            self._reader.join(SECONDS_TO_LEAVE)

    def describe_end(self) -> str:
        """A sentence that says how it ended, and where its output is."""
        code = self.process.returncode
        if code in STOPPED:
            return f"Worker {self.index} was stopped."
        event = (
            f"was killed by {signal.Signals(-code).name}" if code < 0 else f"failed (exit {code})"
        )
        if self.index == 0:
            return f"Worker 0 {event}."
        if self.log.exists():
            return f"Worker {self.index} {event}; its output is in {self.log}."
        last = self._held.decode(errors="replace").strip().rpartition("\n")[2]
        return f"Worker {self.index} {event}{': ' + last.rstrip('.') if last else ''}."

    def _read(self) -> None:
        """Passes its output on to the log, which can be written once the chief has created the
        folder."""
        output: Any = self.process.stdout
        with output:
            while piece := output.read1():
                self._held += piece
                self._write()
        self._write()

    def _write(self) -> None:
        if not self._held or not (self._folder / CONFIG).exists():
            return
        with contextlib.suppress(OSError):
            self.log.parent.mkdir(exist_ok=True)
            with open(self.log, "ab") as file:
                file.write(self._held)
            self._held = b""


def free_addresses(count: int) -> list[str]:
    """Local addresses with free ports."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for item in sockets:
            item.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{item.getsockname()[1]}" for item in sockets]


def share_of_cores(count: int) -> list[set[int]]:
    """The processor cores of each worker; empty sets, which mean all cores, if there are fewer
    cores than workers."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    size = len(cores) // count
    return [set(cores[index * size :][:size]) for index in range(count)]


def end_with_starter() -> None:
    """Exits this process when the process that started it, and gave it `STARTER`, has ended."""

    def watch(descriptor: int) -> None:
        with contextlib.suppress(OSError):
            os.read(descriptor, 1)
            os._exit(LOST)

    if STARTER in os.environ:
        descriptor = int(os.environ[STARTER])
        threading.Thread(target=watch, args=(descriptor,), daemon=True).start()


def _wait(workers: Sequence[Worker]) -> list[int]:
    """Waits until all have exited, or after a failure for as long as the others need to notice.

    Returns: the exit code of each worker; `LOST` for those that did not notice and were ended.
    """
    end = math.inf
    while None in (codes := [worker.process.poll() for worker in workers]):
        if end == math.inf and (failed := {*codes} - {None, 0}):
            stopped = not failed.isdisjoint(STOPPED)
            end = time.monotonic() + (SECONDS_TO_LEAVE if stopped else SECONDS_TO_NOTICE)
        if time.monotonic() > end:
            for worker in workers:
                worker.end()
            break
        time.sleep(0.05)
    return [LOST if code is None else code for code in codes]


@contextlib.contextmanager
def _passing_signals(workers: Sequence[Worker]) -> Iterator[None]:
    """Passes SIGTERM on to the workers, and SIGINT unless a terminal also sends it to them.

    The workers acknowledge signals and stop; this process only waits for them.
    """

    def passing(number: int) -> Callable[[int, Any], None]:
        def handle(_: int, frame: Any) -> None:
            for worker in workers:
                if worker.process.poll() is None:
                    worker.process.send_signal(number)

        return handle

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {
        signal.SIGTERM: passing(signal.SIGTERM),
        signal.SIGINT: signal.SIG_IGN if _in_foreground() else passing(signal.SIGINT),
    }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    wakeup = signal.set_wakeup_fd(-1)  # of `handling_signals`, which would end this process first
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        for number, value in before.items():
            signal.signal(number, value)


def _in_foreground() -> bool:
    """Whether Ctrl-C in a terminal reaches this process, and the processes that it has started."""
    try:
        with open("/dev/tty", "rb") as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:  # no terminal
        return False
