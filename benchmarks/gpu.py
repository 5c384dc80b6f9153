"""Measures layers on a GPU, side by side, and writes a table.

    python -m benchmarks.gpu [--cells lstm,gru] [--write docs/speed.md]

The layers of a row alternate in one process; each figure is a median, with inputs and results in
the GPU's memory. LSTM and GRU are measured twice: with cuDNN's kernel, which is their default, and
with the compiled loop, which all other cells run. Products round their inputs to TensorFloat-32 in
all libraries. The rows are kept in a CSV file, so that another machine can write the table.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")

import argparse
import pathlib
import statistics
from collections.abc import Callable
from unittest import mock

import tensorflow as tf

from benchmarks import contestants, measurements
from benchmarks.contestants import Shape
from benchmarks.measurements import Measurements
from benchmarks.speed import PASSES, interleaved
from seqzoo.cells.engine import dispatch

SHAPES = (
    Shape(32, 100, 64, 128),
    Shape(128, 28, 28, 128),
    Shape(32, 784, 1, 128),
    Shape(64, 100, 512, 512),
    Shape(256, 100, 1024, 1024),
)
CELLS = ("lstm", "gru", "gated", "lru")
CONTESTANTS = ("seqzoo", "compiled loop", "Keras layer", "Keras RNN(cell)", "torch")
COMMAND = "python -m benchmarks.gpu --write docs/speed.md"


def runs_of(cell: str, shape: Shape, training: bool) -> dict[str, Callable]:
    """Passes of the contestants on a GPU; the compiled loop also where cuDNN is the default."""
    runs = contestants.all_of(cell, shape, "plain", training)
    del runs["limit"]
    layer = contestants.seqzoo_layer(cell, shape, "plain")
    if dispatch.choose(layer).path is not dispatch.Path.CUDNN:
        return runs
    inputs, upstream, mask = contestants.data(shape, "plain")
    with mock.patch.object(dispatch, "_obstacles_to_cudnn", lambda _: ("it is left out",)):
        loop = contestants.seqzoo_layer(cell, shape, "plain")
        run = contestants.tensorflow_run(loop, inputs, upstream, mask, training)
        run()  # traced while cuDNN is left out
    return {**runs, "compiled loop": run}


def measure(cells: list[str], measured: Measurements, seconds: float) -> None:
    """Measures the missing rows."""
    here = machine()
    for cell in cells:
        for shape in SHAPES:
            for training, name in PASSES.items():
                sizes = ", ".join(map(str, shape))
                if measured.find(here, cell, sizes, name) is not None:
                    continue
                times, first = interleaved(runs_of(cell, shape, training), seconds, 3)
                row = {"machine": here, "cell": cell, "shape": sizes, "pass": name}
                row |= {
                    f"{key}, ms": f"{times[key] * 1e3:.3g}" if key in times else ""
                    for key in CONTESTANTS
                }
                measured.add({**row, "first step, s": f"{first['seqzoo']:.1f}"})
                print(*measured.rows[-1].values(), sep="\t", flush=True)


def machine() -> str:
    """The GPU and the versions of the libraries."""
    gpu = tf.config.list_physical_devices("GPU")[0]
    name = tf.config.experimental.get_device_details(gpu).get("device_name", "a GPU")
    torch = contestants.torch
    versions = measurements.machine().split(", ", 2)[2]
    return f"{name}, {versions}" + ("" if torch is None else f", PyTorch {torch.__version__}")


def _ratios(rows: list[dict[str, str]], name: str, own: str, rival: str) -> list[str]:
    values = [
        float(row[f"{rival}, ms"]) / float(row[f"{own}, ms"]) for row in rows if row[f"{rival}, ms"]
    ]
    if not values:
        return []
    return [
        f"- {name}: {rival} takes {min(values):.2f} to {max(values):.2f} times as long, median "
        f"{statistics.median(values):.2f}, over {len(values)} rows."
    ]


def section(measured: Measurements) -> str:
    """The table, one row for each cell, shape and pass, and how the contestants compare."""
    columns = "".join(f" | {name}, ms" for name in CONTESTANTS)
    machines = dict.fromkeys(row["machine"] for row in measured.rows)
    cudnn = [row for row in measured.rows if row["compiled loop, ms"]]
    compared = [
        *_ratios(cudnn, "The compiled loop of LSTM and GRU", "compiled loop", "Keras RNN(cell)"),
        *_ratios(measured.rows, "seqzoo", "seqzoo", "Keras RNN(cell)"),
        *_ratios(cudnn, "cuDNN in seqzoo", "seqzoo", "Keras layer"),
        *_ratios(cudnn, "cuDNN in seqzoo", "seqzoo", "torch"),
    ]
    lines = [
        "## On a GPU",
        "Milliseconds for one pass of a layer, with inputs and results in the GPU's memory and "
        "TensorFloat-32 products in all libraries; the layers of a row alternate in one process, "
        "medians. `seqzoo` is what a layer runs by default: cuDNN for LSTM and GRU, the compiled "
        f"loop for all other cells. {'; '.join(machines)}. Measured by",
        "",
        f"    {COMMAND}",
        "",
        *compared,
        "",
        "| cell | batch, time, features, units | pass" + columns + " | first step, s |",
        "| " + " | ".join(["---"] * (len(CONTESTANTS) + 4)) + " |",
    ]
    lines += [f"| {' | '.join([*row.values()][1:])} |" for row in measured.rows]
    return "\n".join(lines)


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description="Speed of recurrent layers on a GPU.")
    parser.add_argument("--cells", type=lambda text: text.split(","), default=list(CELLS))
    parser.add_argument("--seconds", type=float, default=0.5, help="seconds to measure each row")
    parser.add_argument("--results", type=pathlib.Path, default=measurements.FOLDER / "gpu.csv")
    parser.add_argument("--write", type=pathlib.Path, help="page to write the table into")
    arguments = parser.parse_args()
    measured = Measurements(arguments.results, ("machine", "cell", "shape", "pass"))
    if dispatch.has_gpu():
        measure(arguments.cells, measured, arguments.seconds)
    elif not measured.rows:
        parser.error("TensorFlow sees no GPU; see docs/installation.md.")
    if arguments.write:
        measurements.write_section(arguments.write, COMMAND, section(measured))


if __name__ == "__main__":
    main()
