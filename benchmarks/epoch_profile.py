"""Measures what the time of a training epoch is spent on.

    python -m benchmarks.epoch_profile [--tasks tagger] [--write docs/speed.md]

The models, data and batches are those of `benchmarks.end_to_end`. After some epochs, in which
programs are compiled, one is recorded by TensorFlow's profiler, and the time of each operation,
without that of operations within it, is added to one of `PARTS`.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import collections
import pathlib
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from benchmarks import end_to_end
from benchmarks.measurements import machine, write_section

COMMAND = "python -m benchmarks.epoch_profile --write docs/speed.md"

INTRODUCTION = """## What an epoch consists of

Share of the time of all cores in an epoch of seqzoo, for the tasks above: in the compiled loops
over time, their products, their elementwise functions, and the thunks' executor; then the other
matrix products, above all those for the gradients of weights and inputs, and of the output layer;
operations that copy (transpose, split, pad, join, select); the optimizer, with clipping;
embeddings (lookup, and sums of their gradients); and all other operations, with TensorFlow's
executor. "idle" is what remains: Python between steps, and cores that wait for the last piece of
a batch. "profiler" is by how much the recording slowed the epoch down, mostly in loops with short
steps."""

WAITS = r"BlockUntilReady|KernelAndDeviceFunc|FunctionRun|tf.function|_train_step|::ProcessAsync"
"""Events in which a thread waits for others."""

PARTS = {
    "loops: products": r"^(MatMul|dot)[^:]*$",
    "loops: elementwise": r"^[^:]*(fusion|copy|broadcast|compare|bitcast|while|call)[^:]*$",
    "loops: executor": r"Thunk|CpuExecutable|ParallelFor|Xla",
    "products": r":.*(MatMul|Conv)",
    "copies": r":.*(Transpose|Concat|Split|Pad|Slice|Pack|Tile|Reverse|Select)",
    "optimizer": r":.*(Apply|L2Loss|Assign|AddN)|adam|clip",
    "embeddings": r":.*(Gather|Scatter|Segment|Unique)",
}
"""Pattern of the events that belong to each part; the first that matches counts. TensorFlow's
operations are named "name:Type", XLA's kernels have no colon."""

HEADS = ("task", *PARTS, "other", "idle", "profiler")


def exclusive(line: Any) -> Iterator[tuple[int, int]]:
    """The events of a thread, by index, with the picoseconds they take without those within."""
    events = sorted(
        enumerate(line.events), key=lambda pair: (pair[1].offset_ps, -pair[1].duration_ps)
    )
    left: dict[int, int] = {}
    open_events: list[tuple[int, int]] = []  # end, index
    for index, event in events:
        while open_events and open_events[-1][0] <= event.offset_ps:
            open_events.pop()
        if open_events:
            left[open_events[-1][1]] -= event.duration_ps
        left[index] = event.duration_ps
        open_events.append((event.offset_ps + event.duration_ps, index))
    yield from left.items()


def seconds_by_event(folder: pathlib.Path) -> dict[str, float]:
    """Seconds by name of event, over all threads."""
    (file,) = folder.rglob("*.xplane.pb")
    space = xplane_pb2.XSpace.FromString(file.read_bytes())
    seconds: dict[str, float] = collections.defaultdict(float)
    for plane in space.planes:
        if not plane.name.startswith("/host:CPU"):
            continue
        for line in plane.lines:
            for index, picoseconds in exclusive(line):
                name = plane.event_metadata[line.events[index].metadata_id].name
                seconds[name.removeprefix("end: ")] += picoseconds / 1e12
    return seconds


def profile(epoch: Callable[[], int]) -> dict[str, float]:
    """The share of each part in an epoch."""
    plain = []
    for number in range(4):
        start = time.perf_counter()
        epoch()
        if number > 1:  # the first ones compile
            plain.append(time.perf_counter() - start)
    options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=2, python_tracer_level=0)
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder, options)
        start = time.perf_counter()
        epoch()
        seconds = time.perf_counter() - start
        tf.profiler.experimental.stop()
        events = seconds_by_event(pathlib.Path(folder))
    available = seconds * (os.cpu_count() or 1)
    shares = dict.fromkeys(HEADS[1:], 0.0)
    for name, spent in events.items():
        if not re.search(WAITS, name):
            matches = (part for part, pattern in PARTS.items() if re.search(pattern, name))
            shares[next(matches, "other")] += spent / available
    shares["idle"] = max(1 - sum(shares.values()), 0.0)
    return shares | {"profiler": seconds / min(plain) - 1}


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tasks", default=",".join(end_to_end.TASKS))
    parser.add_argument("--sentences", default="en_ewt-ud-train.conllu", help="a CoNLL-U file")
    parser.add_argument("--write", type=pathlib.Path, help="page to write the table into")
    args = parser.parse_args()
    keras.utils.set_random_seed(0)
    lines = [f"| {' | '.join(HEADS)} |", f"|{' --- |' * len(HEADS)}"]
    for task in args.tasks.split(","):
        shares = profile(end_to_end.TASKS[task](args.sentences)["seqzoo"])
        cells = [f"{shares[head]:.0%}" for head in HEADS[1:]]
        lines.append(f"| {task} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    if args.write:
        made = f"{machine()}. Measured by\n\n    {COMMAND}\n"
        write_section(args.write, COMMAND, "\n".join([INTRODUCTION, "", made, *lines]))


if __name__ == "__main__":
    main()
