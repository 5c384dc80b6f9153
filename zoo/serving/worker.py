"""The thread that runs a model; it computes waiting requests in batches."""

import collections
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from seqzoo.tasks.errors import SeqzooError

log = logging.getLogger("seqzoo.serving")


class Full(Exception):
    """The queue is full."""


@dataclass(eq=False)
class Job:
    """A job for a model, from one request.

    Attributes:
        inputs: raw inputs.
        key: jobs with equal keys may be computed together.
        alone: whether it is never computed together with other jobs.
        function: a function to run instead of predicting; None to predict.
        future: receives the results, one per input, or the result of the function.
    """

    inputs: Sequence[Any] = ()
    key: Any = None
    alone: bool = False
    function: Callable[[], Any] | None = None
    future: Future = field(default_factory=Future)


class Worker:
    """A thread with a bounded queue.

    Args:
        name: the name of the model.
        compute: (inputs, key) -> a result for each input; called in the thread.
        queue_size: maximum number of waiting jobs.
        batch_size: maximum number of inputs that are computed together. A job with more of them is
            computed alone.
        wait: seconds that a batch that is not full waits for more jobs.
        observe: called with the number of inputs computed together.
    """

    def __init__(
        self,
        name: str,
        compute: Callable[[Sequence[Any], Any], Sequence[Any]],
        *,
        queue_size: int,
        batch_size: int,
        wait: float,
        observe: Callable[[int], None] = lambda _: None,
    ):
        self._compute = compute
        self._queue_size = queue_size
        self._batch_size = batch_size
        self._wait = wait
        self._observe = observe
        self._jobs: collections.deque[Job] = collections.deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=f"model {name}", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Completes the waiting jobs, and ends the thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def __len__(self) -> int:
        """The number of waiting jobs."""
        return len(self._jobs)

    def submit(self, job: Job, *, queued: bool = False) -> Future:
        """Adds a job to the queue.

        Args:
            job: the job. If its future is cancelled before its turn, it is not computed.
            queued: whether it continues a job that was accepted earlier, and is therefore never
                refused.

        Raises:
            Full: too many jobs are waiting, or the thread is about to end.
        """
        with self._changed:
            if self._stopping or (len(self._jobs) >= self._queue_size and not queued):
                raise Full
            self._jobs.append(job)
            self._changed.notify()
        return job.future

    def call(self, function: Callable[[], Any], *, queued: bool = False) -> Future:
        """Runs a function in the thread, when its turn comes; the future receives its result."""
        return self.submit(Job(alone=True, function=function), queued=queued)

    def _run(self) -> None:
        while jobs := self._next():
            running = [job for job in jobs if job.future.set_running_or_notify_cancel()]
            if not running:
                continue
            if running[0].function is not None:
                _settle(running[0], running[0].function)
                continue
            self._observe(sum(len(job.inputs) for job in running))
            self._complete(running)

    def _complete(self, jobs: list[Job]) -> None:
        """Computes jobs with the same key together, or one by one if an input is invalid."""
        key = jobs[0].key
        if len(jobs) == 1:
            _settle(jobs[0], lambda: self._compute(jobs[0].inputs, key))
            return
        try:
            results = self._compute([value for job in jobs for value in job.inputs], key)
        except Exception:
            for job in jobs:
                self._complete([job])
            return
        start = 0
        for job in jobs:
            job.future.set_result(results[start : start + len(job.inputs)])
            start += len(job.inputs)

    def _next(self) -> list[Job]:
        """The jobs of the next batch; empty if the thread should end and no job is waiting."""
        with self._changed:
            while not self._jobs:
                if self._stopping:
                    return []
                self._changed.wait()
            jobs = [self._jobs.popleft()]
            key, size = jobs[0].key, len(jobs[0].inputs)
            if jobs[0].alone:
                return jobs
            until = time.monotonic() + self._wait
            while size < self._batch_size:
                room = self._batch_size - size
                for job in list(self._jobs):
                    if not job.alone and job.key == key and len(job.inputs) <= room:
                        self._jobs.remove(job)
                        jobs.append(job)
                        room -= len(job.inputs)
                size = self._batch_size - room
                left = until - time.monotonic()
                if left <= 0 or self._stopping or not room:
                    break
                self._changed.wait(left)
            return jobs


def _settle(job: Job, work: Callable[[], Any]) -> None:
    try:
        job.future.set_result(work())
    except SeqzooError as error:
        job.future.set_exception(error)
    except Exception as error:
        log.exception("a prediction failed")
        job.future.set_exception(error)
