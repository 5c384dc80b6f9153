"""`tf.distribute` strategies by name: all GPUs of a machine, or the workers that the environment
names."""

import json
import os
import re
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from seqzoo.tasks.errors import SeqzooError, nearest
from seqzoo.tasks.startup import start_tensorflow

STRATEGIES = ("mirrored", "multi-worker")

STARTER = "SEQZOO_STARTER"
"""Environment variable of processes that `seqzoo train --workers` or `seqzoo compare` started: a
file descriptor that is closed when the process that started them ends."""

PORT = 12_200
"""Port of workers on Kubernetes, and the lowest one on SLURM; see `slurm_port`."""

PORTS_PER_JOB = 16
"""Number of ports reserved for each SLURM job, since jobs may share a machine."""


def make_strategy(name: str, workers: int | None = None) -> Any:
    """Makes a `tf.distribute` strategy; must be called before TensorFlow computes anything.

    Args:
        name: "mirrored" for all GPUs of this machine, or "multi-worker" for the processes that
            `TF_CONFIG`, SLURM or an indexed Kubernetes job names.
        workers: number of workers: required for Kubernetes, which does not provide it; otherwise
            only checked.

    Raises:
        SeqzooError: there are fewer than two GPUs, the environment names no workers, or TensorFlow
            has already computed something.
    """
    if name not in STRATEGIES:
        names = ", ".join(STRATEGIES)
        raise SeqzooError(
            f"`strategy` must be one of {names}, got {name!r}{nearest(name, STRATEGIES)}",
            field="strategy",
        )
    start_tensorflow()
    import tensorflow as tf

    if name == "mirrored":
        gpus = tf.config.list_logical_devices("GPU")
        if len(gpus) < 2:
            raise SeqzooError(
                f"'mirrored' needs at least 2 GPUs, but TensorFlow sees {len(gpus)} here; leave "
                "it out, or train on several machines or processes with 'multi-worker'."
            )
        return tf.distribute.MirroredStrategy([item.name for item in gpus])
    resolver = resolve(os.environ, workers)
    try:
        with _keeping_sigterm():
            return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
    except RuntimeError as error:
        raise SeqzooError(
            "'multi-worker' must be chosen before TensorFlow computes anything; make it the first "
            f"thing that the program does ({' '.join(str(error).split())})"
        ) from error
    except (tf.errors.OpError, ValueError) as error:
        reason = str(error).partition("\n")[0].strip().rstrip(".")
        raise SeqzooError(f"The workers cannot be connected: {reason}.") from error


@contextmanager
def _keeping_sigterm() -> Iterator[None]:
    """A context after which SIGTERM has the handler that it had before: a strategy of several
    workers installs one that ignores it."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        # Only the main thread may install handlers, and only those of Python are known.
        if handler is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)


def resolve(environment: Mapping[str, str], workers: int | None = None) -> Any:
    """Makes the resolver of the cluster that an environment names.

    Args:
        environment: the environment of the process.
        workers: see `make_strategy`.

    Raises:
        SeqzooError: the environment names no workers, or a different number of them.
    """
    if "TF_CONFIG" in environment:
        cluster, job, index = read_tf_config(environment["TF_CONFIG"])
        origin = "TF_CONFIG"
    elif "SLURM_PROCID" in environment:
        cluster, job, index = read_slurm(environment)
        origin = "SLURM"
    elif "JOB_COMPLETION_INDEX" in environment:
        job, index, origin = "worker", int(environment["JOB_COMPLETION_INDEX"]), "Kubernetes"
        cluster = {job: kubernetes_addresses(socket.getfqdn(), index, workers)}
    else:
        raise SeqzooError(
            "'multi-worker' finds no workers: set TF_CONFIG, or start the program with srun "
            "(SLURM) or as an indexed Kubernetes job; for processes on this machine, use "
            "--workers alone."
        )
    count = sum(map(len, cluster.values()))
    if workers is not None and workers != count:
        raise SeqzooError(
            f"--workers must be {count}, the number of workers that {origin} names, got {workers}."
        )
    import tensorflow as tf

    return tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(cluster),
        task_type=job,
        task_id=index,
        num_accelerators={"GPU": len(tf.config.list_physical_devices("GPU"))},
        rpc_layer="grpc",
    )


def read_tf_config(text: str) -> tuple[dict[str, list[str]], str, int]:
    """Reads the addresses by job, and the job and index of this process.

    Raises:
        SeqzooError: TF_CONFIG is not valid, or names jobs other than a chief and workers.
    """
    form = '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}'
    try:
        config = json.loads(text)
        cluster = {job: list(value) for job, value in config["cluster"].items()}
        job, index = config["task"]["type"], int(config["task"]["index"])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SeqzooError(f"TF_CONFIG must be of the form {form}, got {text!r}.") from error
    others = sorted({*cluster, job} - {"chief", "worker"})
    if others:
        raise SeqzooError(
            f"TF_CONFIG may name only the jobs 'chief' and 'worker', got {others[0]!r}; parameter "
            "servers and evaluators take no part in training."
        )
    if not 0 <= index < len(cluster.get(job, ())):
        raise SeqzooError(
            f"TF_CONFIG gives this process the index {index} in job {job!r}, counted from 0, but "
            f"that job has size {len(cluster.get(job, ()))}."
        )
    return cluster, job, index


def kubernetes_addresses(name: str, index: int, workers: int | None) -> list[str]:
    """The addresses of the pods of an indexed job with a headless service.

    Args:
        name: the fully qualified host name of this pod:
            "train-0.workers.default.svc.cluster.local".
        index: the index of this pod.
        workers: number of pods.

    Raises:
        SeqzooError: the number of pods is missing, or the host is not named after the index.
    """
    if workers is None:
        raise SeqzooError(
            "Kubernetes does not tell a pod the number of pods; add --workers with the job's "
            "`completions`."
        )
    host, _, domain = name.partition(".")
    match = re.fullmatch(rf"(.+)-{index}", host)
    if match is None or not domain:
        raise SeqzooError(
            f"The host of pod {index} must be named as in 'train-{index}.workers...', got "
            f"{name!r}; give the job a headless service, and name it as `subdomain`."
        )
    return [f"{match[1]}-{k}.{domain}:{PORT}" for k in range(workers)]


def slurm_port(job: str) -> int:
    """The first port of a SLURM job, chosen so that two jobs on one machine do not collide."""
    return PORT + int(job or 0) % 1_000 * PORTS_PER_JOB


def read_slurm(environment: Mapping[str, str]) -> tuple[dict[str, list[str]], str, int]:
    """Reads the addresses by job, and the job and index of this process, which srun started.

    Raises:
        SeqzooError: a SLURM variable is missing or cannot be read.
    """
    for name in ("SLURM_STEP_NUM_TASKS", "SLURM_STEP_NODELIST", "SLURM_STEP_TASKS_PER_NODE"):
        if name not in environment:
            raise SeqzooError(f"SLURM has not set {name}; start the workers with srun.")
    import tensorflow as tf

    tasks = int(environment["SLURM_STEP_NUM_TASKS"])
    try:
        # SLURM assigns GPUs to tasks itself; without GPUs, the resolver would divide by zero.
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
            port_base=slurm_port(environment.get("SLURM_JOB_ID", "")),
            gpus_per_node=tasks,
            gpus_per_task=1,
            auto_set_gpu=False,
        )
        cluster = resolver.cluster_spec().as_dict()
    except (RuntimeError, ValueError) as error:
        raise SeqzooError(f"SLURM's workers cannot be read: {error}.") from error
    job, index = resolver.get_task_info()
    return cluster, job, index
