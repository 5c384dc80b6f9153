"""Measures a single step, a batch of one sequence of one step, called in several ways.

    python -m benchmarks.one_step [--cells lstm,gru] [--seconds 4] [--write docs/speed.md]

The ways are: the layer itself; within a `tf.function`; within one that XLA compiles; and that
function's concrete function for the shape of the inputs, for seqzoo's layer and for Keras' own. The
ways of a row and PyTorch's layer take turns of a third of a second, as in `benchmarks.speed`; each
figure is a median, in milliseconds, of calls that return an array.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import pathlib
import statistics
import time
from collections.abc import Callable

import tensorflow as tf

from benchmarks import contestants, measurements
from benchmarks.contestants import Shape
from benchmarks.speed import PAUSE

SHAPE = Shape(1, 1, 64, 256)
COMMAND = "python -m benchmarks.one_step --write docs/speed.md"
TURN = 0.3
"""Seconds that calls of one kind are repeated before those of the next."""


def ways(cell: str) -> dict[str, Callable]:
    """Functions by the way in which a layer is called; each takes no arguments."""
    inputs, upstream, _ = contestants.data(SHAPE, "plain")
    x = tf.constant(inputs)
    layer = contestants.seqzoo_layer(cell, SHAPE, "plain")
    results = {
        "layer(x)": lambda: layer(x).numpy(),
        "`tf.function`": called(layer, x, concrete=False, jit_compile=False),
        "with XLA": called(layer, x, concrete=False, jit_compile=True),
        "concrete": called(layer, x, concrete=True, jit_compile=True),
    }
    if cell in contestants.KERAS_LAYERS:
        other = contestants.keras_layer(cell, SHAPE, "plain", wrapped=False)
        results["Keras layer, concrete"] = called(other, x, concrete=True, jit_compile=True)
        if contestants.torch is not None:
            results["torch"] = contestants.torch_run(cell, SHAPE, "plain", inputs, upstream, False)
    return results


def called(layer: Callable, x: tf.Tensor, concrete: bool, jit_compile: bool) -> Callable:
    """A call of a layer within a `tf.function`."""
    function = tf.function(lambda x: layer(x, training=False), jit_compile=jit_compile)
    function(x)
    chosen = function.get_concrete_function(x) if concrete else function
    return lambda: chosen(x).numpy()


def measure(runs: dict[str, Callable], seconds: float) -> dict[str, float]:
    """Medians in milliseconds; each of the functions runs for about `seconds` in all."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        for _ in range(20):
            run()
    for _ in range(max(1, round(seconds / TURN))):
        for name, run in runs.items():
            end = time.perf_counter() + TURN
            while time.perf_counter() < end:
                start = time.perf_counter()
                run()
                times[name].append(time.perf_counter() - start)
            if name == "torch":
                time.sleep(PAUSE)
    return {name: 1000 * statistics.median(each) for name, each in times.items()}


def section(rows: dict[str, dict[str, float]]) -> str:
    """The section of docs/speed.md."""
    names = list(next(iter(rows.values())))
    torch = f", PyTorch {contestants.torch.__version__}" if contestants.torch is not None else ""
    lines = [
        "## One step",
        "Milliseconds for one sequence of one step of 64 features and 256 units, forward, until",
        "the result is an array: the layer called by itself, within a `tf.function`, within one",
        "with `jit_compile=True`, and the latter's concrete function for this shape, from",
        "`get_concrete_function`, which skips the search for the trace.",
        f"{measurements.machine()}{torch}. Measured by",
        "",
        f"    {COMMAND}",
        "",
        f"| cell | {' | '.join(names)} |",
        "| --- |" + " --- |" * len(names),
    ]
    for cell, row in rows.items():
        values = [f"{row[name]:.3f}" if name in row else "" for name in names]
        lines.append(f"| {cell} | {' | '.join(values)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description="A single step, called in several ways.")
    parser.add_argument("--cells", default="lstm,gru,gated", type=lambda text: text.split(","))
    parser.add_argument("--seconds", type=float, default=4.0, help="seconds for each way")
    parser.add_argument("--write", type=pathlib.Path, help="page to write the table into")
    arguments = parser.parse_args()
    rows = {cell: measure(ways(cell), arguments.seconds) for cell in arguments.cells}
    text = section(rows)
    print(text)
    if arguments.write:
        measurements.write_section(arguments.write, COMMAND, text)


if __name__ == "__main__":
    main()
