"""Several workers train one model: the numbers of one process, and a one-line error if one is
lost."""

import ctypes
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from task_data import settings, splits, template
from training_cases import history, weights

from seqzoo.tasks import Examples, ManyToManyAligned, SeqzooError, Splits
from seqzoo.tasks.errors import WorkerLost
from seqzoo.tasks.training import clusters
from seqzoo.tasks.training.progress import Silent
from seqzoo.tasks.training.trainer import change_of_replicas, train
from seqzoo.tasks.training.workers import Workers
from seqzoo.zoo.training.local_workers import free_addresses

ROOT = pathlib.Path(__file__).resolve().parents[2]
STEPS, DIES_AT = 50, (2, 20)


def text(steps: int, seed: int) -> Examples:
    """A text in which a letter follows from the two before it, so that states matter."""
    random = np.random.default_rng(seed)
    letters = [0, 1]
    while len(letters) < steps:
        letters.append((letters[-1] + letters[-2] + int(random.random() < 0.2)) % 7)
    return Examples(["".join("abcdefg"[letter] for letter in letters)])


def arguments(folder: pathlib.Path) -> dict:
    """A language model of one text, in four lanes: 50 steps per epoch."""
    language = ManyToManyAligned(
        "characters", "next", whole=True, cell="gru", units=8, embedding=4, window=8
    )
    return {
        "template": language,
        "splits": Splits(text(4 * 8 * (STEPS + 1), 1), text(500, 2)),
        "settings": settings(
            batch_size=4,
            checkpoint_seconds=0.0,
            schedule="constant",
            embedding_updates="lazy",
        ),
        "folder": folder,
    }


PROGRAM = """
import json, os, pathlib, signal, sys
from seqzoo.tasks.training.clusters import make_strategy
signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
strategy = make_strategy("multi-worker")
from test_workers import DIES_AT, arguments
from seqzoo.tasks import SeqzooError
from seqzoo.tasks.training import epochs, sparse_gradients
from seqzoo.tasks.training.progress import Silent
from seqzoo.tasks.training.trainer import train

epochs.REPORT_SECONDS = 0.0
sparse_gradients.LARGE = 1  # so that rows are exchanged
folder, action = sys.argv[1:]

class Dying(Silent):
    def epoch(self, epoch, done):
        self.current = epoch
    def step(self, done, *rest):
        if action == "die" and (self.current, done) == DIES_AT and index == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if action == "stop" and (self.current, done) == DIES_AT and index == 0:
            os.kill(os.getpid(), signal.SIGTERM)

index = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
given = {"strategy": strategy, "progress": Dying(), "resume": action == "resume"}
try:
    train(**arguments(pathlib.Path(folder)), **given)
except SeqzooError as error:
    print(error, flush=True)
    os._exit(2)
"""


def start(folder: pathlib.Path, action: str) -> list[subprocess.Popen]:
    """Two workers, each a process."""
    addresses = free_addresses(2)
    paths = [str(ROOT), str(ROOT / "tests" / "support"), str(ROOT / "tests" / "tasks")]
    return [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(folder), action],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(paths),
                "TF_CONFIG": json.dumps(
                    {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
                ),
            },
            stdout=subprocess.PIPE,
            text=True,
        )
        for index in (0, 1)
    ]


@pytest.mark.slow
def test_sigterm_in_one_worker_stops_all_after_a_checkpoint(tmp_path) -> None:
    both = start(tmp_path / "run", "stop")
    outputs = [item.communicate(timeout=120)[0] for item in both]
    assert [item.returncode for item in both] == [2, 2]
    for output in outputs:
        assert re.match(r"Stopped at step 2\d of epoch 2, after a checkpoint. To resume: ", output)


def assert_close(one: pathlib.Path, other: pathlib.Path) -> None:
    """Checks that two runs only differ by rounding."""
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    for key in first:
        np.testing.assert_allclose(first[key], second[key], rtol=2e-3, atol=2e-4, err_msg=key)
    for row, same in zip(rows(one), rows(other), strict=True):
        assert row == pytest.approx(same, rel=1e-4, abs=1e-5), row


def rows(folder: pathlib.Path) -> list[dict]:
    """The history without its times."""
    return [{**row, "seconds": 0} for row in history(folder)]


class Noted(Silent):
    """Keeps what is noted before training begins."""

    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The run of one process."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    train(**arguments(folder))
    return folder


@pytest.mark.slow
def test_two_workers_are_one_and_one_that_is_killed_is_resumed_alone(alone, tmp_path) -> None:
    folder = tmp_path / "run"
    both = start(folder, "die")
    outputs = [item.communicate(timeout=120)[0] for item in both]
    assert [item.returncode for item in both] == [2, -signal.SIGKILL]
    assert outputs[0].count("\n") == 1
    assert outputs[0].startswith("Worker 1 can no longer be reached. To resume from step 7")
    assert outputs[0].endswith(f"train --resume --run {folder} --distribute multi-worker\n")
    # The first epoch was that of one process.
    assert rows(folder)[0] == pytest.approx(rows(alone)[0], rel=1e-5, abs=1e-6)
    last = tf.train.latest_checkpoint(str(folder / "checkpoints"))
    assert last is not None and STEPS + 10 < int(last.rpartition("-")[2]) <= STEPS + DIES_AT[1]
    # A single process resumes with the carried states of both workers.
    noted = Noted()
    train(**arguments(folder), resume=True, progress=noted)
    assert noted.notes == [
        "Number of replicas: 2 at the start, 1 now. Batches and learning rates stay as they were, "
        "so results differ only in rounding and dropout masks."
    ]
    assert_close(alone, folder)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_two_workers_are_resumed_by_two(alone, tmp_path) -> None:
    folder = tmp_path / "run"
    for action in ("die", "resume"):
        both = start(folder, action)
        for item in both:
            item.communicate(timeout=120)
    assert [item.returncode for item in both] == [0, 0]
    assert_close(alone, folder)


TWO = {"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 1}}


@pytest.mark.parametrize(
    "environment, workers, message",
    [
        ({}, None, "finds no workers: set TF_CONFIG"),
        ({"TF_CONFIG": "{"}, None, "TF_CONFIG must be of the form"),
        ({"TF_CONFIG": "[]"}, None, "TF_CONFIG must be of the form"),
        ({"TF_CONFIG": json.dumps({**TWO, "task": {"type": "ps", "index": 0}})}, None, "got 'ps'"),
        (
            {"TF_CONFIG": json.dumps({**TWO, "task": {"type": "worker", "index": 2}})},
            None,
            "the index 2 in job 'worker', counted from 0, but that job has size 2",
        ),
        (
            {"TF_CONFIG": json.dumps(TWO)},
            3,
            "--workers must be 2, the number of workers that TF_CONFIG names, got 3",
        ),
        ({"SLURM_PROCID": "0"}, None, "SLURM has not set SLURM_STEP_NUM_TASKS"),
        ({"JOB_COMPLETION_INDEX": "0"}, None, "add --workers with the job's `completions`"),
        ({"JOB_COMPLETION_INDEX": "9"}, 10, "The host of pod 9 must be named as in 'train-9."),
    ],
)
def test_environments_that_name_no_workers(environment, workers, message) -> None:
    with pytest.raises(SeqzooError, match=re.escape(message)):
        clusters.resolve(environment, workers)


def test_workers_by_their_environment(monkeypatch) -> None:
    result = clusters.resolve({"TF_CONFIG": json.dumps(TWO)}, 2)
    assert (result.task_type, result.task_id) == ("worker", 1)
    assert result.cluster_spec().as_dict() == TWO["cluster"]
    slurm = {
        "SLURM_PROCID": "2",
        "SLURM_JOB_ID": "41003",
        "SLURM_STEP_NUM_TASKS": "3",
        "SLURM_STEP_NODELIST": "n[1-2]",
        "SLURM_STEP_TASKS_PER_NODE": "2,1",
    }
    for name, value in slurm.items():
        monkeypatch.setenv(name, value)
    port = clusters.PORT + 3 * clusters.PORTS_PER_JOB
    result = clusters.resolve(slurm)
    addresses = [f"n1:{port}", f"n1:{port + 1}", f"n2:{port}"]
    assert result.cluster_spec().as_dict() == {"worker": addresses}
    assert (result.task_type, result.task_id) == ("worker", 2)
    name = "train-1.workers.default.svc.cluster.local"
    monkeypatch.setattr(clusters.socket, "getfqdn", lambda: name)
    result = clusters.resolve({"JOB_COMPLETION_INDEX": "1"}, 2)
    first, second = result.cluster_spec().as_dict()["worker"]
    assert second == f"{name}:{clusters.PORT}" and first == second.replace("train-1", "train-0")


def test_a_strategy_that_cannot_be_made(monkeypatch) -> None:
    with pytest.raises(SeqzooError, match="must be one of mirrored, multi-worker, got 'mirored'"):
        clusters.make_strategy("mirored")
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [])
    with pytest.raises(SeqzooError, match="at least 2 GPUs, but TensorFlow sees 0"):
        train(template(), splits(), settings(), "unwritten", strategy="mirrored")
    monkeypatch.setenv("TF_CONFIG", json.dumps(TWO))
    tf.constant(0)
    with pytest.raises(SeqzooError, match="must be chosen before TensorFlow computes anything"):
        clusters.make_strategy("multi-worker")


def test_sigterm_is_handled_as_before_the_strategy_was_made(monkeypatch) -> None:
    def ignoring(cluster_resolver):
        """Ignores the signal without Python's knowledge, like TensorFlow."""
        library = ctypes.CDLL(None)
        library.signal.argtypes, library.signal.restype = (
            [ctypes.c_int, ctypes.c_void_p],
            ctypes.c_void_p,
        )
        library.signal(signal.SIGTERM, 1)

    received = []
    monkeypatch.setattr(tf.distribute, "MultiWorkerMirroredStrategy", ignoring)
    monkeypatch.setenv("TF_CONFIG", json.dumps(TWO))
    before = signal.signal(signal.SIGTERM, lambda number, _: received.append(number))
    try:
        clusters.make_strategy("multi-worker")
        signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert received == [signal.SIGTERM]


class TwoWorkers(Workers):
    """The second of two workers; the first one's values are given beforehand."""

    def __init__(self, *others):
        self.index, self.count = 1, 2
        cluster = tf.train.ClusterSpec(TWO["cluster"])
        resolver = SimpleNamespace(cluster_spec=lambda: cluster)
        self._strategy: Any = SimpleNamespace(cluster_resolver=resolver)
        self._others = list(others)

    def gather(self, values):
        return np.stack([np.asarray(self._others.pop(0)), np.asarray(values)])


def test_workers_that_differ_report_the_difference() -> None:
    digest = np.frombuffer(b"01234567", np.int64)
    same = {"data": b"01234567"}
    TwoWorkers(digest).check_same(same)
    with pytest.raises(SeqzooError, match="Worker 1 differs from worker 0 in its data"):
        TwoWorkers(digest + 1).check_same(same)
    with pytest.raises(WorkerLost, match="Worker 0 could not start"):
        with TwoWorkers(0).starting():
            pass
    pair = TwoWorkers(1)
    with pytest.raises(ZeroDivisionError), pair.starting():
        print(1 // 0)
    assert not pair._others  # the first one was told


def test_a_lost_worker_is_reported_in_one_line_and_other_errors_stay() -> None:
    error = tf.errors.UnavailableError(None, None, "/job:worker/replica:0/task:0 is unhealthy")
    pair = TwoWorkers()
    with pytest.raises(WorkerLost, match="^Worker 0 can no longer be reached. Go on.$"):
        with pair.lost(lambda: "Go on."):
            raise error
    with pytest.raises(ValueError, match="as it is"), pair.lost(lambda: ""):
        raise ValueError("as it is")
    with pytest.raises(tf.errors.UnavailableError):
        with Workers(tf.distribute.get_strategy()).lost(lambda: ""):
            raise error


def test_another_number_of_replicas_is_noted() -> None:
    assert "replicas: 4 at the start, 2 now" in change_of_replicas({"replicas": 4}, 2)
    assert not change_of_replicas({"replicas": 4}, 4)
    assert "replicas: 1 at the start, 8 now" in change_of_replicas({}, 8)
