"""The processes that train one model together, and what they exchange apart from gradients."""

import contextlib
import os
import pathlib
import re
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from seqzoo.tasks.data.batches import Plan
from seqzoo.tasks.errors import SeqzooError, WorkerLost
from seqzoo.tasks.training.clusters import STARTER

SEED_STRIDE = 1_000_003
"""Difference between the seeds of successive workers, whose dropout masks must differ."""

SECONDS_TO_SEE = 20.0
"""Seconds within which a worker must see the run folder that another one has created."""

CONNECTION_ERRORS = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
)
"""The errors that TensorFlow raises when it loses the connection to another process."""

DEVICE = re.compile(r"/job:(chief|worker)/(?:replica:\d+/)?task:(\d+)")
"""The name of a worker in TensorFlow's messages."""


class Workers:
    """This process among those that train a model together.

    Every worker runs the same program on the same examples, makes the same plan of batches and
    takes its rows of each batch. All workers must call the methods that exchange values, in the
    same order.

    Args:
        strategy: the `tf.distribute` strategy; for several workers a `MultiWorkerMirroredStrategy`.

    Attributes:
        index: the index of this worker, from 0.
        count: number of workers; 1 for all other strategies.
    """

    def __init__(self, strategy: Any):
        self._strategy = strategy
        self.index, self.count = 0, 1
        if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
            resolver: Any = strategy.cluster_resolver
            if resolver is None:
                return
            jobs = resolver.cluster_spec().as_dict()
            # A chief comes before the workers, as in TensorFlow.
            names = [(job, k) for job in ("chief", "worker") for k in range(len(jobs.get(job, ())))]
            if len(names) > 1:
                self.index = names.index((resolver.task_type, resolver.task_id))
                self.count = len(names)

    @property
    def chief(self) -> bool:
        """Whether this worker writes the run folder."""
        return self.index == 0

    @property
    def resume_options(self) -> str:
        """Options of the command that resumes training, except for the folder."""
        if self.count == 1:
            return ""
        if STARTER in os.environ:
            return f" --workers {self.count}"
        return " --distribute multi-worker"

    def shard(self, plan: Plan) -> Plan:
        """This worker's rows of each batch."""
        return plan.shard(self.index, self.count)

    def gather(self, values: Any) -> np.ndarray:
        """Gathers the values of all workers.

        Args:
            values: an array of numbers, of the same shape and dtype in each worker.

        Returns:
            Shape (count, ...), in the order of the workers, the same in each of them.
        """
        values = np.asarray(values)
        if self.count == 1:
            return values[None]
        placed = np.zeros((self.count, *values.shape), values.dtype)
        placed[self.index] = values
        total = self._strategy.reduce(tf.distribute.ReduceOp.SUM, tf.constant(placed), axis=None)
        return total.numpy()

    def from_chief(self, values: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The arrays of the chief; those of the other workers only determine shapes and dtypes."""
        if self.count == 1:
            return list(values)
        return [self.gather(value)[0] for value in values]

    def wait(self) -> None:
        """Waits until all workers have reached this call."""
        self.gather(np.zeros((), np.int64))

    def check_same(self, parts: dict[str, bytes]) -> None:
        """Checks that all workers have the same settings, data and so on.

        Args:
            parts: the digests to compare, by the names used in messages: {"data": ...}.

        Raises:
            SeqzooError: the digest of a worker differs from that of the chief.
        """
        digests = np.array([np.frombuffer(part[:8], np.int64)[0] for part in parts.values()])
        all_digests = self.gather(digests)
        for worker, digest in enumerate(all_digests):
            for name, same in zip(parts, digest == all_digests[0], strict=True):
                if not same:
                    raise SeqzooError(
                        f"Worker {worker} differs from worker 0 in its {name}; start all workers "
                        "with the same command on the same files."
                    )

    def check_shared(self, path: pathlib.Path) -> None:
        """Checks that all workers see a file that the chief has written.

        Raises:
            SeqzooError: a worker does not see it.
        """
        self.wait()
        end = time.monotonic() + SECONDS_TO_SEE
        while not path.exists() and time.monotonic() < end and self.count > 1:
            time.sleep(0.1)  # network file systems need a moment
        blind = np.flatnonzero(self.gather(int(path.exists())) == 0)
        if len(blind):
            raise SeqzooError(
                f"Worker {blind[0]} does not see {path.parent}, which worker 0 writes; name a run "
                "folder on a disk that all workers share."
            )

    @contextlib.contextmanager
    def starting(self) -> Iterator[None]:
        """A context for preparing training; if the block fails in one worker, all others end, too.

        Raises:
            WorkerLost: another worker failed.
        """
        try:
            yield
        except Exception:
            if self.count > 1:
                self.gather(np.zeros((), np.int64))
            raise
        failed = np.flatnonzero(self.gather(np.ones((), np.int64)) == 0)
        if len(failed):
            raise WorkerLost(f"Worker {failed[0]} could not start; its own output says why.")

    @contextlib.contextmanager
    def lost(self, hint: Any) -> Iterator[None]:
        """A context in which TensorFlow's errors about a lost worker become one line.

        Args:
            hint: a function that returns a sentence on how to continue.

        Raises:
            WorkerLost: a worker cannot be reached.
        """
        try:
            yield
        except CONNECTION_ERRORS as error:
            if self.count == 1:
                raise
            named = DEVICE.findall(str(error))  # may include operations of this worker
            others = {self._number(job, int(task)) for job, task in named} - {self.index}
            gone = f"Worker {min(others)}" if len(others) == 1 else "Another worker"
            raise WorkerLost(f"{gone} can no longer be reached. {hint()}") from error

    def _number(self, job: str, task: int) -> int:
        jobs = self._strategy.cluster_resolver.cluster_spec().as_dict()
        return task + (len(jobs.get("chief", ())) if job == "worker" else 0)
