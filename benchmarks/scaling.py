"""Measures training with one and with two workers, and writes the table of docs/scaling.md.

    python -m benchmarks.scaling [--presets language-id,language-id:lazy] [--write]

Each worker is a process that is pinned to one core. They train the preset's model on its own data,
with its own batch size, which they divide; ":lazy" updates embeddings lazily. All batches are
padded to one length, and steps are counted once it is compiled. Two processes that train apart,
each with half of the batch size, are measured as well: what two workers could reach if they
exchanged nothing. Without --write the table is only printed.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

from seqzoo.zoo.training.local_workers import free_addresses

PRESETS = "language-id,language-id:lazy,python-source,date-normaliser"
PAGE = pathlib.Path(__file__).resolve().parent.parent / "docs" / "scaling.md"
HEADS = (
    "| preset | batch | exchanged, MB | 1 worker, examples/s | 2 apart | 2 workers "
    "| speed-up apart | speed-up | 8 | 64 |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)
SECONDS, EXAMPLES = 5.0, 3_000
NETWORK = 1.25e9
"""Bytes per second of the network that is assumed for the estimate: 10 Gbit/s."""

LATENCY = 50e-6
"""Seconds that a message takes there."""


def worker(name: str, share: int) -> None:
    """Trains, and prints what it measured as JSON.

    Args:
        name: of a preset, with ":lazy" for lazy updates of embeddings.
        share: the batch size is divided by this.
    """
    from seqzoo.tasks.training.clusters import make_strategy

    strategy = make_strategy("multi-worker") if "TF_CONFIG" in os.environ else None
    import keras
    import tensorflow as tf

    from seqzoo.tasks.data.batches import Padding
    from seqzoo.tasks.training.step import Loop
    from seqzoo.zoo.config.resolve import chosen
    from seqzoo.zoo.data.open import open_source

    preset, _, updates = name.partition(":")
    template, settings, source = chosen(preset, {"limit": EXAMPLES}).parts()
    settings = replace(
        settings,
        batch_size=settings.batch_size // share,
        embedding_updates=updates or "dense",
    )
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
        # All stop after the same step, as in a training run.
        ended = loop.agree(time.perf_counter() - start > SECONDS, False, False)[0]
    step = (time.perf_counter() - start) / count
    size = 0 if replicas > 1 else exchanged(loop, data, plan)
    print(json.dumps({"step": step, "bytes": size}), flush=True)


def exchanged(loop: Any, data: Any, plan: Any) -> int:
    """The bytes of the gradients that a worker would send: of large embeddings, those of rows."""
    import tensorflow as tf

    from seqzoo.tasks.training.sparse_gradients import LARGE

    batch = next(iter(loop._batches(data, plan)))
    gradients = loop._gradients(loop.with_carried(batch))[0]
    total = 0
    for gradient, variable in zip(gradients, loop.model.trainable_variables, strict=True):
        size = 4 * variable.shape.num_elements()
        if size >= 4 * LARGE and re.search("embedding|table|vectors", variable.path):
            moved = tf.reduce_any(tf.convert_to_tensor(gradient) != 0, axis=1)
            size = int(tf.math.count_nonzero(moved)) * 4 * (1 + variable.shape[1])
        total += size
    return total


def measure(name: str, processes: int, *, apart: bool = False) -> dict[str, float]:
    """Measures training with several processes, each on one core: the mean seconds of a step, and
    the bytes that one of them exchanges.

    Args:
        name: see `worker`.
        processes: their number.
        apart: whether each trains its own model, with its share of the batch size.
    """
    addresses = free_addresses(processes)
    started = []
    for index in range(processes):
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        if processes > 1 and not apart:
            task = {"type": "worker", "index": index}
            cluster = {"cluster": {"worker": addresses}, "task": task}
            environment["TF_CONFIG"] = json.dumps(cluster)
        share = processes if apart else 1
        command = [sys.executable, "-m", "benchmarks.scaling", "--worker", name, str(share)]
        started.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        )
        os.sched_setaffinity(started[-1].pid, {sorted(os.sched_getaffinity(0))[index]})
    output = [json.loads(item.communicate()[0].splitlines()[-1]) for item in started]
    return {key: sum(item[key] for item in output) / processes for key in ("step", "bytes")}


def estimate(one: float, two: float, size: float, workers: int) -> float:
    """The speed-up of many workers over one, each with as many examples as one of two had.

    A step takes what the computing takes, half of `one`, and the exchange: a ring sends
    2 (n - 1) / n of the gradients over a network, in 2 (n - 1) messages. What two processes
    of one machine took beyond that, their waiting for each other, is assumed to stay.

    Args:
        one: seconds of a step of one worker.
        two: seconds of a step of two workers.
        size: bytes of the gradients that a worker exchanges.
        workers: number of workers.
    """
    computing = one / 2
    waiting = max(two - computing, 0.0)
    exchange = 2 * (workers - 1) / workers * size / NETWORK + 2 * (workers - 1) * LATENCY
    return workers * computing / (computing + waiting + exchange)


def row(name: str) -> str:
    """A row of the table."""
    from seqzoo.zoo.config.resolve import chosen

    batch = chosen(name.partition(":")[0], {}).parts()[1].batch_size
    one, apart, two = measure(name, 1), measure(name, 2, apart=True), measure(name, 2)
    steps = [item["step"] for item in (one, apart, two)]
    speeds = [batch / step for step in steps]
    size = apart["bytes"]
    many = [estimate(one["step"], two["step"], size, workers) for workers in (8, 64)]
    return (
        f"| {name} | {batch} | {size / 1e6:.1f} | "
        + " | ".join(f"{speed:,.0f}" for speed in speeds)
        + f" | {steps[0] / steps[1]:.2f} | {steps[0] / steps[2]:.2f} | "
        f"{many[0]:.1f} | {many[1]:.1f} |"
    )


def main() -> None:
    """Prints the table, or writes it to the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--presets", default=PRESETS, help='names of presets, with ":lazy" for lazy embeddings'
    )
    parser.add_argument("--write", action="store_true", help="write the rows to docs/scaling.md")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        worker(given.worker[0], int(given.worker[1]))
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
