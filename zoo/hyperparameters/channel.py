"""Messages between a search and its worker processes, one line of JSON each.

The search sends trials, and after each epoch whether to continue; a worker sends epochs and
results.
"""

import json
import os
import queue
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from seqzoo.tasks.errors import DiskFull, Interrupted, SeqzooError

COMPLETE, PRUNED, FAILED, UNFINISHED = "complete", "pruned", "failed", "unfinished"
"""States of a trial that has ended; an unfinished one continues when the search is resumed."""


class Pruned(Exception):
    """Raised in a worker when the search stops a trial after an epoch."""


class OutOfMemory(SeqzooError):
    """A trial needs more memory than is available; its process is replaced."""


class Channel:
    """The worker's end of the connection; it exits the process when the search has ended.

    Args:
        descriptor: the file descriptor of the pipe to write to; messages from the search arrive on
            standard input.
    """

    def __init__(self, descriptor: int):
        self._output = os.fdopen(descriptor, "w", encoding="utf-8")
        self._lines: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin:
            message = json.loads(line)
            self._lines.put(message or None)
            if not message:
                return
        os._exit(1)  # even during an epoch: checkpoints are always consistent

    def receive(self) -> dict[str, Any] | None:
        """The next message; None when there are no more trials."""
        return self._lines.get()

    def send(self, event: str, **values: Any) -> None:
        """Sends an event."""
        self._output.write(json.dumps({"event": event, **values}) + "\n")
        self._output.flush()

    def report(self, epoch: int, score: float) -> None:
        """Reports the score of an epoch, counted from 1.

        Raises:
            Pruned: the search ends the trial.
        """
        self.send("epoch", epoch=epoch, score=score)
        reply = self.receive()
        if reply is None or reply["prune"]:
            raise Pruned


def work(
    channel: Channel,
    begin: Callable[[], Mapping[str, Any]],
    train: Callable[[dict[str, Any], Channel], Mapping[str, Any]],
) -> int:
    """Runs trials until there are no more.

    Args:
        channel: the channel to the search.
        begin: opens the data; returns the values that all trials share: "metric" and "better".
        train: trains the trial that a message describes by "number" and "values", reports its
            epochs, and returns its "score", "epoch", "epochs" and "parameters".

    Returns:
        The exit code.
    """
    try:
        shared = begin()
    except SeqzooError as error:
        channel.send("error", message=str(error))
        return 2
    channel.send("ready", **shared)
    while (message := channel.receive()) is not None:
        try:
            channel.send("end", state=COMPLETE, **train(message, channel))
        except Pruned:
            channel.send("end", state=PRUNED)
        except (Interrupted, KeyboardInterrupt):
            channel.send("end", state=UNFINISHED)
            return 130
        except DiskFull as error:  # the other trials would fail as well
            channel.send("error", message=str(error))
            return 2
        except OutOfMemory as error:
            channel.send("end", state=FAILED, error=str(error), exits=True)
            return 2
        except SeqzooError as error:
            channel.send("end", state=FAILED, error=str(error))
    return 0
