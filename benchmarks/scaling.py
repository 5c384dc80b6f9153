"""Measures training with one and with two workers, and writes the table of docs/scaling.md.

    python -m benchmarks.scaling [--presets language-id,python-source,date-normaliser] [--write]

Each worker is a process that is pinned to one core. They train the preset's model on its own data,
with its own batch size, which is shared out. All batches are padded to one length, and steps are
counted once it is compiled. Without --write the table is only printed.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import time

from seqzoo.zoo.training.local_workers import free_addresses

PRESETS = "language-id,python-source,date-normaliser"
PAGE = pathlib.Path(__file__).resolve().parent.parent / "docs" / "scaling.md"
HEADS = (
    "| preset | batch | gradients, MB | 1 worker, examples/s | 2 workers | speed-up | 8 | 64 |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- |"
)
SECONDS, EXAMPLES = 5.0, 3_000
NETWORK = 1.25e9
"""Bytes per second of the network that is assumed for the estimate: 10 Gbit/s."""

LATENCY = 50e-6
"""Seconds that a message takes there."""


def worker(preset: str) -> None:
    """Trains, and prints what it measured as JSON."""
    from seqzoo.tasks.training.clusters import make_strategy

    strategy = make_strategy("multi-worker") if "TF_CONFIG" in os.environ else None
    import keras
    import tensorflow as tf

    from seqzoo.tasks.data.batches import Padding
    from seqzoo.tasks.training.step import Loop
    from seqzoo.zoo.config.resolve import chosen
    from seqzoo.zoo.data.open import open_source

    template, settings, source = chosen(preset, {"limit": EXAMPLES}).parts()
    strategy = strategy or tf.distribute.get_strategy()
    splits, _ = open_source(source)
    task = template.adapt(splits.train)
    data = task.data(splits.train)
    padding = Padding.choose(data, 1, settings.batch_size)
    keras.utils.set_random_seed(0)
    replicas = strategy.num_replicas_in_sync
    plan = data.plan(padding, settings, multiple=replicas, seed=(0, 0))
    loop = Loop(task, settings, len(plan), strategy)

    def steps():
        while True:
            for _ in loop.train(data, plan):
                yield
            loop.next_epoch()

    stepping = steps()
    for _ in range(10):
        next(stepping)
    count, start, ended = 0, time.perf_counter(), False
    while not ended:
        next(stepping)
        count += 1
        # All stop after the same step, as in a training.
        ended = loop.agree(time.perf_counter() - start > SECONDS, False, False)[0]
    step = (time.perf_counter() - start) / count
    size = 4 * sum(int(own.shape.num_elements()) for own in loop.model.trainable_variables)
    print(json.dumps({"step": step, "batch": settings.batch_size, "bytes": size}), flush=True)


def measure(preset: str, workers: int) -> dict[str, float]:
    """The seconds of a step with some workers, each on one core."""
    addresses = free_addresses(workers)
    processes = []
    for index in range(workers):
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        if workers > 1:
            task = {"type": "worker", "index": index}
            cluster = {"cluster": {"worker": addresses}, "task": task}
            environment["TF_CONFIG"] = json.dumps(cluster)
        command = [sys.executable, "-m", "benchmarks.scaling", "--worker", preset]
        processes.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        )
        os.sched_setaffinity(processes[-1].pid, {sorted(os.sched_getaffinity(0))[index]})
    output = [own.communicate()[0] for own in processes]
    return json.loads(output[0].splitlines()[-1])


def estimate(one: float, two: float, size: float, workers: int) -> float:
    """The speed-up of many workers over one, each with as many examples as one of two had.

    A step takes what the computing takes, half of `one`, and the exchange: a ring sends
    2 (n - 1) / n of the gradients over a network, in 2 (n - 1) messages. What two processes
    of one machine took beyond that, their waiting for each other, is assumed to stay.

    Args:
        one: seconds of a step of one worker.
        two: seconds of a step of two workers.
        size: bytes of the gradients.
        workers: number of workers.
    """
    computing = one / 2
    waiting = max(two - computing, 0.0)
    exchange = 2 * (workers - 1) / workers * size / NETWORK + 2 * (workers - 1) * LATENCY
    return workers * computing / (computing + waiting + exchange)


def row(preset: str) -> str:
    """A row of the table."""
    one, two = (measure(preset, workers) for workers in (1, 2))
    batch, size = int(one["batch"]), one["bytes"]
    speeds = [batch / own["step"] for own in (one, two)]
    many = [estimate(one["step"], two["step"], size, workers) for workers in (8, 64)]
    return (
        f"| {preset} | {batch} | {size / 1e6:.1f} | {speeds[0]:,.0f} | {speeds[1]:,.0f} | "
        f"{speeds[1] / speeds[0]:.2f} | {many[0]:.1f} | {many[1]:.1f} |"
    )


def main() -> None:
    """Prints the table, or writes it to the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--presets", default=PRESETS, help="names of presets")
    parser.add_argument("--write", action="store_true", help="write the rows to docs/scaling.md")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        worker(given.worker)
        return
    rows = {preset: row(preset) for preset in given.presets.split(",")}
    print(HEADS, *rows.values(), sep="\n")
    if given.write:
        page = PAGE.read_text(encoding="utf-8")
        for preset, line in rows.items():
            page = re.sub(rf"^\| {preset} \|.*$", line, page, flags=re.MULTILINE)
        PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
