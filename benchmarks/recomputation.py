"""Memory and time of a training step with and without recomputation.

    python -m benchmarks.recomputation --shape 8,10000,32,256 --every none,100,400,1000

Memory is measured in a separate process for each row, after a step with a short input: the peak
resident memory during the second step with the long input, minus the resident memory before the
first one. Times are medians of steps that alternate in one process.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

ROWS = [("lstm", False), ("lstm", True), ("gru", True)]
ROUNDS = 5


def step_of(cell: str, sequences: bool, units: int, every: int | None) -> Callable:
    """A training step as a `tf.function`: (batch, time, features) -> gradients of the weights."""
    import tensorflow as tf

    from seqzoo.cells import Recurrent, create

    layer = Recurrent(create(cell, units), return_sequences=sequences, recompute=every)

    @tf.function(autograph=False)
    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(x, training=True))
        return tape.gradient(loss, layer.trainable_variables)

    return step


def inputs(shape: list[int]):
    """Random inputs of shape (batch, time, features)."""
    import tensorflow as tf

    return tf.random.stateless_normal(shape[:3], (0, 1))


def memory(cell: str, sequences: bool, shape: list[int], every: int | None) -> float:
    """The increase in peak memory during a step, in MB."""
    step = step_of(cell, sequences, shape[3], every)
    step(inputs([shape[0], 64, *shape[2:]]))
    x = inputs(shape)
    before = _status("VmRSS")
    step(x)
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # resets the peak, which may be due to compilation
    step(x)[0].numpy()
    return _status("VmHWM") - before


def times(cell: str, sequences: bool, shape: list[int], every: list[int | None]) -> list[float]:
    """The time of a step with each value of `recompute`, in seconds."""
    steps, x = [step_of(cell, sequences, shape[3], each) for each in every], inputs(shape)
    seconds: list[list[float]] = [[] for _ in every]
    for turn in range(1 + ROUNDS):
        for step, second in zip(steps, seconds, strict=True):
            began = time.perf_counter()
            step(x)[0].numpy()
            if turn:
                second.append(time.perf_counter() - began)
    return [statistics.median(second) for second in seconds]


def _status(name: str) -> float:
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1e3 for line in file if line.startswith(name))


def _in_own_process(*arguments: str) -> list[str]:
    command = [sys.executable, "-m", "benchmarks.recomputation", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", default="8,10000,32,256", help="batch, time, features, units")
    parser.add_argument("--every", default="none,100,400,1000", help="values of `recompute`")
    parser.add_argument("--rows", default="0,1,2", help="indices of the rows to measure")
    parser.add_argument("--part", choices=["memory", "times"], help="measure in this process")
    args = parser.parse_args()
    shape = [int(size) for size in args.shape.split(",")]
    every = [None if each == "none" else int(each) for each in args.every.split(",")]
    rows = [ROWS[int(row)] for row in args.rows.split(",")]
    if args.part == "memory":
        print(memory(*rows[0], shape, every[0]))
        return
    if args.part == "times":
        print(*times(*rows[0], shape, every))
        return
    print(
        "| cell | outputs | `recompute` | memory, MB | time, s |\n| --- | --- | --- | --- | --- |"
    )
    for row in args.rows.split(","):
        cell, sequences = ROWS[int(row)]
        arguments = ["--shape", args.shape, "--rows", row]
        seconds = _in_own_process("--part", "times", "--every", args.every, *arguments)
        for each, second in zip(args.every.split(","), seconds, strict=True):
            (peak,) = _in_own_process("--part", "memory", "--every", each, *arguments)
            outputs = "all" if sequences else "last"
            print(
                f"| `{cell}` | {outputs} | {each} | {float(peak):.0f} | {float(second):.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
