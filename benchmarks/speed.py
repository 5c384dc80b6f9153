"""Measures the layers of seqzoo, Keras and PyTorch side by side, and writes a table.

    python -m benchmarks.speed [--shapes 0,1] [--cells lstm,gru] [--output docs/speed.md]
    python -m benchmarks.speed --every-cell [--cells lstm,gru] [--write docs/speed.md]
    python -m benchmarks.speed --parallel [--write docs/speed.md]

The layers of a row alternate in one process, so that changes in the machine's speed affect them
equally; each figure is a median. `limit` is a lower bound: the time of the matrix products of the
forward pass (one with the input, one with the states, each over all steps at once), three times
that for forward and backward.

With --every-cell, all cells are compared with `keras.layers.RNN` around the same cell, at two
shapes. Each row is appended to a CSV file as soon as it is measured, and rows in the file are not
measured again; --write writes the table from it. With --parallel, the parallel and diagonal cells
alternate with the LSTM at one shape.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import pathlib
import platform
import statistics
import time
from collections.abc import Callable

import keras
import tensorflow as tf

from benchmarks import contestants, measurements
from benchmarks.contestants import Frames, Shape
from benchmarks.measurements import Measurements
from seqzoo.cells import CELLS
from seqzoo.cells.engine.dispatch import cores
from seqzoo.cells.registry import REGISTRY

SHAPES = (
    Shape(32, 100, 64, 128),
    Shape(64, 100, 64, 256),
    Shape(32, 784, 1, 128),
    Shape(128, 28, 28, 128),
    Shape(32, 50, 300, 512),
    Shape(1, 1, 64, 256),
)
PREFACE = """# Speed

The tables give milliseconds for one layer (`return_sequences=True`, float32): a forward pass, or a
forward and a backward pass. The layers of a row alternate in one process; each figure is a median.

| column | meaning |
| --- | --- |
| times Keras, times torch | the other's time divided by seqzoo's: above 1, seqzoo is faster |
| Keras RNN(cell) | `keras.layers.RNN` around seqzoo's cell |
| limit | the matrix products alone, for all steps at once; three times that with backward passes |
| first step | tracing and compiling a new shape |

Masked rows have padding on the right, with lengths from half to all of the steps. Measured by

    python -m benchmarks.speed --output docs/speed.md
"""
MODES = ("plain", "masked", "bidirectional")
EVERY_CELL_SHAPES = (SHAPES[0], SHAPES[2])
NOT_MEASURED = {("mass-conserving-lstm", SHAPES[2]), ("gru-d", SHAPES[2])}
"""A step of mass-conserving-lstm computes a matrix for each example, which takes seconds at this
length; gru-d needs an even number of features."""

FRAMES = Frames(8, 20, 16, 16, 8, 16)
EVERY_CELL = "python -m benchmarks.speed --every-cell --write docs/speed.md"
PARALLEL = "python -m benchmarks.speed --parallel --write docs/speed.md"
LONG = SHAPES[2]
"""The shape at which the parallel cells are compared with the LSTM."""
PASSES = {False: "forward", True: "forward and backward"}


def interleaved(
    runs: dict[str, Callable], seconds: float, min_calls: int = 5
) -> tuple[dict[str, float], dict[str, float]]:
    """Median seconds of at least `min_calls` calls of each function, and seconds of its first."""
    first = {}
    for name, run in runs.items():
        start = time.perf_counter()
        run()
        first[name] = time.perf_counter() - start
        run()
    return medians(runs, seconds, min_calls), first


def medians(runs: dict[str, Callable], seconds: float, min_calls: int) -> dict[str, float]:
    """Median seconds of each function; the functions alternate and have been called before."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[next(iter(times))]) < min_calls:
        # In both orders, because caches are cold after a large product.
        for order in (list(runs), list(reversed(runs))):
            for name in order:
                start = time.perf_counter()
                runs[name]()
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(t) for name, t in times.items()}


def measure(cell: str, shape: Shape, mode: str, training: bool, seconds: float) -> dict:
    """One row of the table."""
    runs = contestants.all_of(cell, shape, mode, training)
    times, first = interleaved(runs, seconds)
    return {
        "cell": cell,
        "shape": shape,
        "mode": mode,
        "training": training,
        "medians": times,
        "first": first["seqzoo"],
    }


def table(rows: list[dict]) -> str:
    """Rows as Markdown: milliseconds, and how many times as long as seqzoo the others take."""
    names = ["seqzoo", "Keras layer", "Keras RNN(cell)", "torch", "limit"]
    lines = [
        "| cell | batch, time, features, units | mode | pass | "
        + " | ".join(f"{name}, ms" for name in names)
        + " | times Keras | times RNN(cell) | times torch | first step, s |",
        "| " + " | ".join(["---"] * (len(names) + 8)) + " |",
    ]
    for row in rows:
        medians = row["medians"]
        ours = medians["seqzoo"]
        cells = [f"{medians[name] * 1e3:.2f}" if name in medians else "" for name in names]
        ratios = [f"{medians[name] / ours:.2f}" if name in medians else "" for name in names[1:4]]
        step = PASSES[row["training"]]
        shape = ", ".join(map(str, row["shape"]))
        fields = [row["cell"], shape, row["mode"], step, *cells, *ratios, f"{row['first']:.1f}"]
        lines.append("| " + " | ".join(fields) + " |")
    return "\n".join(lines)


def summary(rows: list[dict]) -> str:
    """The range and median of the ratios, and the time of the gated cell per parameter."""
    lines = []
    for rival in ("Keras layer", "Keras RNN(cell)", "torch"):
        ratios = [
            row["medians"][rival] / row["medians"]["seqzoo"]
            for row in rows
            if rival in row["medians"]
        ]
        if ratios:
            lines.append(
                f"- {rival}: takes {min(ratios):.2f} to {max(ratios):.2f} times as long as "
                f"seqzoo, median {statistics.median(ratios):.2f}, over {len(ratios)} rows."
            )
    by_key = {
        (r["cell"], r["shape"], r["mode"], r["training"]): r["medians"]["seqzoo"] for r in rows
    }
    costs = [
        2 * by_key["gated", *key] / by_key["lstm", *key]
        for cell, *key in by_key
        if cell == "gated" and key[0].time > 1 and ("lstm", *key) in by_key
    ]
    if costs:
        lines.append(
            "- The gated cell, which has half as many parameters as the LSTM, takes per parameter "
            f"{min(costs):.2f} to {max(costs):.2f} times as long, "
            f"median {statistics.median(costs):.2f}."
        )
    return "\n".join(lines)


def shapes_of(cell: str) -> list[Shape | Frames]:
    """The shapes at which a cell is measured with --every-cell."""
    if CELLS[cell].input_rank == 4:
        return [FRAMES]
    return [shape for shape in EVERY_CELL_SHAPES if (cell, shape) not in NOT_MEASURED]


def measure_every_cell(cells: list[str], measured: Measurements, seconds: float) -> None:
    """Measures the missing rows of each cell."""
    for cell in cells:
        for shape in shapes_of(cell):
            for training, name in PASSES.items():
                sizes = " ".join(map(str, shape))
                if measured.find(cell, sizes, name) is not None:
                    continue
                pair = contestants.pair_of(cell, shape, training)
                medians, _ = interleaved(pair, seconds, min_calls=3)
                times = {f"{key}, ms": f"{value * 1e3:.2f}" for key, value in medians.items()}
                measured.add({"cell": cell, "shape": sizes, "pass": name, **times})
                print(*measured.rows[-1].values(), sep="\t", flush=True)


def measure_parallel_cells(measured: Measurements, seconds: float) -> None:
    """Adds a row for each parallel and diagonal cell; they all alternate with the LSTM."""
    parallel = [name for name, entry in REGISTRY.items() if entry.family == "parallel"]
    names = ["lstm", "indrnn", "lru", *(name for name in parallel if name != "lru")]
    for training, step in PASSES.items():
        runs = {name: contestants.pair_of(name, LONG, training)["seqzoo"] for name in names}
        medians, _ = interleaved(runs, seconds * len(runs))
        for name, value in medians.items():
            measured.add({"cell": name, "pass": step, "seqzoo, ms": f"{value * 1e3:.2f}"})
            print(*measured.rows[-1].values(), sep="\t", flush=True)


def section_of_parallel_cells(measured: Measurements) -> str:
    """The table of the parallel and diagonal cells, with their speed relative to the LSTM."""
    lines = [
        "## Parallel and diagonal cells",
        "Milliseconds for one pass of seqzoo's layer at batch, time, features, units "
        f"{', '.join(map(str, LONG))}, and in brackets how many times as fast as the LSTM it is. "
        f"The cells alternate in one process; medians. {measurements.machine()}. Measured by",
        "",
        f"    {PARALLEL}",
        "",
        f"| cell | {' | '.join(PASSES.values())} |",
        "| --- | --- | --- |",
    ]
    times = {(row["cell"], row["pass"]): float(row["seqzoo, ms"]) for row in measured.rows}
    for cell in dict.fromkeys(row["cell"] for row in measured.rows):
        fields = [f"`{cell}`"]
        for step in PASSES.values():
            time = times[cell, step]
            fields.append(f"{time:.2f} ({times['lstm', step] / time:.2f})")
        lines.append(f"| {' | '.join(fields)} |")
    return "\n".join(lines)


def section_of_every_cell(measured: Measurements) -> str:
    """The tables of all measured cells, one row per cell: first for vectors, then for frames."""
    ratios = [float(r["Keras RNN(cell), ms"]) / float(r["seqzoo, ms"]) for r in measured.rows]
    missing = [f"`{cell}`" for cell in CELLS if cell not in {row["cell"] for row in measured.rows}]
    vectors = _table_of_every_cell(measured, EVERY_CELL_SHAPES)
    frames = _table_of_every_cell(measured, (FRAMES,))
    return "\n".join(
        [
            "## Every cell",
            "Milliseconds for one pass of seqzoo's layer, and in brackets how many times as long "
            "`keras.layers.RNN` around the same cell takes, alternating in one process; medians. "
            f"Keras' loop takes {min(ratios):.2f} to {max(ratios):.2f} times as long as "
            f"seqzoo's, median {statistics.median(ratios):.2f}, over {len(ratios)} measurements. "
            f"{measurements.machine()}, shared with other work, most of which was paused. "
            "Columns: batch, time, features (for frames: height, width, channels), units. "
            "Measured by",
            "",
            f"    {EVERY_CELL}",
            *(["", f"Not measured yet: {', '.join(missing)}."] if missing else []),
            *vectors,
            *frames,
        ]
    )


def _table_of_every_cell(measured: Measurements, shapes: tuple[Shape | Frames, ...]) -> list[str]:
    columns = [(" ".join(map(str, shape)), name) for shape in shapes for name in PASSES.values()]
    rows = []
    for cell in dict.fromkeys(row["cell"] for row in measured.rows):
        results = [measured.find(cell, *column) for column in columns]
        fields = [f"`{cell}`"]
        for row in results:
            if row is None:
                fields.append("")
                continue
            ours, theirs = float(row["seqzoo, ms"]), float(row["Keras RNN(cell), ms"])
            fields.append(f"{ours:.2f} ({theirs / ours:.2f})")
        if any(results):
            rows.append(f"| {' | '.join(fields)} |")
    if not rows:
        return []
    titles = [f"{shape.replace(' ', ', ')}: {name}" for shape, name in columns]
    head = [
        f"| cell | {' | '.join(titles)} |",
        "| " + " | ".join(["---"] * (1 + len(columns))) + " |",
    ]
    return ["", *head, *rows]


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description="Speed of recurrent layers, side by side.")
    # Frames and elapsed time have no counterpart in the layers that are compared.
    vectors = [n for n, cell in CELLS.items() if cell.input_rank == 2 and not cell.takes_time]
    parser.add_argument("--cells", type=lambda text: text.split(","))
    parser.add_argument("--shapes", default=",".join(map(str, range(len(SHAPES)))))
    parser.add_argument("--modes", default=",".join(MODES))
    parser.add_argument("--seconds", type=float, default=4.0, help="seconds to measure each row")
    parser.add_argument("--output", type=pathlib.Path, help="also write the table there")
    parser.add_argument(
        "--every-cell", action="store_true", help="compare all cells with RNN(cell)"
    )
    parser.add_argument(
        "--parallel", action="store_true", help="compare parallel cells with the LSTM"
    )
    parser.add_argument("--results", type=pathlib.Path, help="CSV file of --every-cell")
    parser.add_argument("--write", type=pathlib.Path, help="page to write the table into")
    arguments = parser.parse_args()
    if arguments.parallel:
        path = arguments.results or measurements.path_of("parallel")
        path.unlink(missing_ok=True)  # only the rows of one run are compared with each other
        measured = Measurements(path, ("cell", "pass"))
        measure_parallel_cells(measured, arguments.seconds)
        if arguments.write:
            section = section_of_parallel_cells(measured)
            measurements.write_section(arguments.write, PARALLEL, section)
        return
    if arguments.every_cell:
        path = arguments.results or measurements.path_of("speed")
        measured = Measurements(path, ("cell", "shape", "pass"))
        measure_every_cell(arguments.cells or list(CELLS), measured, arguments.seconds)
        if arguments.write:
            section = section_of_every_cell(measured)
            measurements.write_section(arguments.write, EVERY_CELL, section)
        return
    rows = []
    for cell in arguments.cells or vectors:
        for index in arguments.shapes.split(","):
            for mode in arguments.modes.split(","):
                for training in (True, False):
                    row = measure(cell, SHAPES[int(index)], mode, training, arguments.seconds)
                    print(table([row]).splitlines()[-1], flush=True)
                    rows.append(row)
    if arguments.output:
        text = f"{PREFACE}\n{summary(rows)}\n\n{machine()}\n\n{table(rows)}\n"
        arguments.output.write_text(text, encoding="utf-8")


def machine() -> str:
    """The versions and hardware that the figures were measured with."""
    versions = f"TensorFlow {tf.__version__}, Keras {keras.__version__}"
    if contestants.torch is not None:
        versions += f", PyTorch {contestants.torch.__version__}"
    return f"{cores()} cores, {platform.machine()}, {versions}."


if __name__ == "__main__":
    main()
