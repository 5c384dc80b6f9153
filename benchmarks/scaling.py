"""Measures training with one and with two workers, and writes the table of docs/scaling.md.

    python -m benchmarks.scaling [--presets language-id,language-id:lazy] [--write]

Each worker is a process that is pinned to one core. The workers train the preset's model on its
data; ":lazy" updates embeddings lazily. Two workers are measured twice: with the preset's batch
size in total, half of it per worker, and with the preset's batch size per worker. Two independent
processes, each with half of the batch size, show what two workers could reach without
communication. All batches are padded to one length. The time of a step is the median after the
first ten steps, in the fastest of three rounds. Without --write the table is only printed.
"""

import argparse
import functools
import json
import math
import os
import pathlib
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from seqzoo.zoo.training.local_workers import free_addresses

PRESETS = "language-id,language-id:lazy,python-source,date-normaliser,mnist-pixels"
PAGE = pathlib.Path(__file__).resolve().parent.parent / "docs" / "scaling.md"
HEADS = (
    "| preset | batch | exchanged, MB | 1 worker, examples/s | 2 apart | 2, batch in total "
    "| 2, batch each | speed-up apart | in total | each | 8 | 64 |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)
SECONDS, BATCHES, WARM_UP, ROUNDS = 5.0, 24, 10, 3
NETWORK = 1.25e9
"""Bandwidth that is assumed for the estimate, in bytes per second: 10 Gbit/s."""

LATENCY = 50e-6
"""Latency of a message that is assumed for the estimate, in seconds."""


def worker(name: str, factor: float) -> None:
    """Trains, and prints the seconds per step and the bytes of the gradients as JSON.

    Args:
        name: name of a preset, with ":lazy" for lazy updates of embeddings.
        factor: number that the preset's batch size is multiplied by.
    """
    from seqzoo.tasks.training.clusters import make_strategy

    strategy = make_strategy("multi-worker") if "TF_CONFIG" in os.environ else None
    import keras
    import numpy as np
    import tensorflow as tf

    from seqzoo.tasks.data.batches import Padding
    from seqzoo.tasks.training.step import Loop
    from seqzoo.zoo.config.resolve import chosen
    from seqzoo.zoo.data.open import open_source

    preset, _, updates = name.partition(":")
    batch_size = int(chosen(preset, {}).parts()[1].batch_size * factor)
    template, settings, source = chosen(preset, {"limit": BATCHES * batch_size}).parts()
    settings = replace(settings, batch_size=batch_size, embedding_updates=updates or "dense")
    strategy = strategy or tf.distribute.get_strategy()
    splits, _ = open_source(source)
    task = template.adapt(splits.train)
    data = task.data(splits.train)
    padding = Padding.choose(data, 1, settings.batch_size)
    keras.utils.set_random_seed(0)
    replicas = strategy.num_replicas_in_sync
    plan = data.plan(padding, settings, multiple=replicas, seed=(0, 0))
    loop = Loop(task, settings, len(plan), strategy)

    def steps() -> Iterator[int]:
        while True:
            for index, _ in enumerate(loop.train(data, plan)):
                yield index
            loop.next_epoch()

    times, before, start = [], 0.0, math.inf
    for count, index in enumerate(steps()):
        # All workers stop after the same step, as in a training run; this waits for the step.
        ended = loop.agree(time.perf_counter() - start > SECONDS, False, False)[0]
        now = time.perf_counter()
        if index and count > WARM_UP:  # the first step of an epoch also opens the data
            times.append(now - before)
        before, start = now, now if count == WARM_UP else start
        if ended:
            break
    size = 0 if replicas > 1 else exchanged(loop, data, plan)
    print(json.dumps({"step": float(np.median(times)), "bytes": size}), flush=True)


def exchanged(loop: Any, data: Any, plan: Any) -> int:
    """Bytes of the gradients that a worker sends; for large embeddings, only the changed rows."""
    import tensorflow as tf

    from seqzoo.tasks.training.sparse_gradients import LARGE

    batch = next(iter(loop._batches(data, plan)))
    gradients = loop._gradients(loop.with_carried(batch))[0]
    total = 0
    for gradient, variable in zip(gradients, loop.model.trainable_variables, strict=True):
        size = 4 * variable.shape.num_elements()
        if size >= 4 * LARGE and re.search("embedding|table|vectors", variable.path):
            changed = tf.reduce_any(tf.convert_to_tensor(gradient) != 0, axis=1)
            size = int(tf.math.count_nonzero(changed)) * 4 * (1 + variable.shape[1])
        total += size
    return total


def measure(
    name: str, processes: int, factor: float = 1.0, *, apart: bool = False
) -> dict[str, float]:
    """Measures training with several processes, each on one core.

    Args:
        name: see `worker`.
        processes: number of processes.
        factor: see `worker`.
        apart: whether the processes are independent, each with its own model.

    Returns:
        "step", the seconds per step, and "bytes", the gradients that a worker exchanges.
    """
    addresses = free_addresses(processes)
    started = []
    for index in range(processes):
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        if processes > 1 and not apart:
            task = {"type": "worker", "index": index}
            cluster = {"cluster": {"worker": addresses}, "task": task}
            environment["TF_CONFIG"] = json.dumps(cluster)
        command = [sys.executable, "-m", "benchmarks.scaling", "--worker", name, str(factor)]
        started.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        )
        os.sched_setaffinity(started[-1].pid, {sorted(os.sched_getaffinity(0))[index]})
    output = [json.loads(item.communicate()[0].splitlines()[-1]) for item in started]
    return {key: sum(item[key] for item in output) / processes for key in ("step", "bytes")}


def estimate(one: float, two: float, size: float, workers: int) -> float:
    """Estimates the speed-up of many workers over one, with the same batch size per worker.

    A step takes the time of the computation, measured with one worker, and of the exchange: a ring
    all-reduce sends 2 (n - 1) / n of the gradients over the network, in 2 (n - 1) messages. The
    additional time with two processes on one machine, waiting for each other, is assumed to remain.

    Args:
        one: seconds per step of one worker.
        two: seconds per step of two workers, each with a full batch.
        size: bytes of the gradients that a worker exchanges.
        workers: number of workers.
    """
    waiting = max(two - one, 0.0)
    exchange = 2 * (workers - 1) / workers * size / NETWORK + 2 * (workers - 1) * LATENCY
    return workers * one / (one + waiting + exchange)


def row(name: str) -> str:
    """A row of the table."""
    from seqzoo.zoo.config.resolve import chosen

    batch = chosen(name.partition(":")[0], {}).parts()[1].batch_size
    ways = [
        functools.partial(measure, name, 1),
        functools.partial(measure, name, 2, 0.5, apart=True),
        functools.partial(measure, name, 2),
        functools.partial(measure, name, 2, 2.0),
    ]
    rounds = [[way() for way in ways] for _ in range(ROUNDS)]
    # The minimum, since other work on the machine can only make a step longer.
    steps = [min(item["step"] for item in runs) for runs in zip(*rounds, strict=True)]
    size = rounds[0][1]["bytes"]
    many = [estimate(steps[0], steps[3], size, workers) for workers in (8, 64)]
    steps[3] /= 2  # two batches
    return (
        f"| {name} | {batch} | {size / 1e6:.1f} | "
        + " | ".join(f"{batch / step:,.0f}" for step in steps)
        + " | "
        + " | ".join(f"{steps[0] / step:.2f}" for step in steps[1:])
        + f" | {many[0]:.1f} | {many[1]:.1f} |"
    )


def main() -> None:
    """Prints the table, or writes it to the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--presets", default=PRESETS, help='names of presets, with ":lazy" for lazy embeddings'
    )
    parser.add_argument("--write", action="store_true", help="write the rows to docs/scaling.md")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        worker(args.worker[0], float(args.worker[1]))
        return
    print(HEADS, flush=True)
    rows = {}
    for preset in args.presets.split(","):
        rows[preset] = row(preset)
        print(rows[preset], flush=True)
    if args.write:
        page = PAGE.read_text(encoding="utf-8")
        for preset, line in rows.items():
            page = re.sub(rf"^\| {preset} \|.*$", line, page, flags=re.MULTILINE)
        PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
