"""Measures the layers of seqzoo, Keras and PyTorch side by side, and writes a table.

    python -m benchmarks.speed [--shapes 0,1] [--cells lstm,gru] [--write docs/speed.md]
    python -m benchmarks.speed --every-cell [--cells lstm,gru] [--write docs/speed.md]
    python -m benchmarks.speed --parallel [--write docs/speed.md]

The layers of a row alternate in one process, so that changes in the machine's speed affect them
equally; each figure is a median. PyTorch's threads keep a core busy for a fifth of a second after
their work, which would slow down the layer that follows, so its turns end with a pause. `limit` is
the time of the matrix products of the forward pass (one with the input, one with the states, each
over all steps at once), three times that for forward and backward. It is not a strict bound: large
results of a product over all steps go through memory, which products of single steps avoid.

With --every-cell, all cells are compared with `keras.layers.RNN` around the same cell, at two
shapes. Each row is appended to a CSV file as soon as it is measured, and rows in the file are not
measured again; --write writes the table from it. With --parallel, the parallel and diagonal cells
alternate with the LSTM at one shape.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import itertools
import pathlib
import statistics
import time
from collections.abc import Callable

from benchmarks import contestants, measurements
from benchmarks.contestants import Frames, Shape
from benchmarks.measurements import Measurements
from seqzoo.cells import CELLS
from seqzoo.cells.registry import REGISTRY

SHAPES = (
    Shape(32, 100, 64, 128),
    Shape(64, 100, 64, 256),
    Shape(32, 784, 1, 128),
    Shape(128, 28, 28, 128),
    Shape(32, 50, 300, 512),
    Shape(1, 1, 64, 256),
)
MODES = ("plain", "masked", "bidirectional")
EVERY_CELL_SHAPES = (SHAPES[0], SHAPES[2])
NOT_MEASURED = {("mass-conserving-lstm", SHAPES[2]), ("gru-d", SHAPES[2])}
"""A step of mass-conserving-lstm computes a matrix for each example, which takes seconds at this
length; gru-d needs an even number of features."""

FRAMES = Frames(8, 20, 16, 16, 8, 16)
EVERY_CELL = "python -m benchmarks.speed --every-cell --seconds 1 --write docs/speed.md"
PARALLEL = "python -m benchmarks.speed --parallel --write docs/speed.md"
LAYERS = "python -m benchmarks.speed --cells lstm,gru,gated --seconds 1.5 --write docs/speed.md"
CONTESTANTS = ("seqzoo", "Keras layer", "Keras RNN(cell)", "torch", "limit")
TURN = 0.05
"""Seconds that a layer runs before the next one does, at least one call."""
PAUSE = 0.3
"""Seconds after a turn of PyTorch."""
LONG = SHAPES[2]
"""The shape at which the parallel cells are compared with the LSTM."""
PASSES = {False: "forward", True: "forward and backward"}


def interleaved(
    runs: dict[str, Callable], seconds: float, min_turns: int = 5
) -> tuple[dict[str, float], dict[str, float]]:
    """Median seconds of each function, measured for `seconds` in all, and seconds of its first
    call."""
    first = {}
    for name, run in runs.items():
        start = time.perf_counter()
        run()
        first[name] = time.perf_counter() - start
        run()
        if name == "torch":
            time.sleep(PAUSE)
    return medians(runs, seconds, min_turns), first


def medians(runs: dict[str, Callable], seconds: float, min_turns: int) -> dict[str, float]:
    """Median seconds of each function; the functions take turns and have been called before."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    spent, turns = 0.0, 0
    while spent < seconds or turns < min_turns:
        order = list(runs) if turns % 2 == 0 else list(reversed(runs))
        for name in order:
            start = now = time.perf_counter()
            while now < start + TURN:
                before, _ = now, runs[name]()
                now = time.perf_counter()
                times[name].append(now - before)
            spent += now - start
            if name == "torch":
                time.sleep(PAUSE)
        turns += 1
    return {name: statistics.median(t) for name, t in times.items()}


def measure_layers(
    cells: list[str], shapes: list[Shape], modes: list[str], measured: Measurements, seconds: float
) -> None:
    """Measures the missing rows of the first table."""
    for cell, shape, mode in itertools.product(cells, shapes, modes):
        for training, name in PASSES.items():
            sizes = ", ".join(map(str, shape))
            if measured.find(cell, sizes, mode, name) is not None:
                continue
            times, first = interleaved(contestants.all_of(cell, shape, mode, training), seconds)
            row = {"cell": cell, "shape": sizes, "mode": mode, "pass": name}
            row |= {
                f"{key}, ms": f"{times[key] * 1e3:.3g}" if key in times else ""
                for key in CONTESTANTS
            }
            measured.add({**row, "first step, s": f"{first['seqzoo']:.1f}"})
            print(*measured.rows[-1].values(), sep="\t", flush=True)


def section_of_layers(measured: Measurements) -> str:
    """The first table, and how many times as long as seqzoo the others take."""
    ratios = {
        rival: [
            float(row[f"{rival}, ms"]) / float(row["seqzoo, ms"]) if row[f"{rival}, ms"] else None
            for row in measured.rows
        ]
        for rival in ("Keras layer", "Keras RNN(cell)", "torch")
    }
    torch = contestants.torch
    versions = "" if torch is None else f", PyTorch {torch.__version__}"
    lines = [
        "## Layers",
        f"{measurements.machine()}{versions}. Measured by",
        "",
        f"    {LAYERS}",
        "",
    ]
    for rival, values in ratios.items():
        known = [value for value in values if value is not None]
        if known:
            lines.append(
                f"- {rival}: takes {min(known):.2f} to {max(known):.2f} times as long as "
                f"seqzoo, median {statistics.median(known):.2f}, over {len(known)} rows."
            )
    lines += [
        "",
        "| cell | batch, time, features, units | mode | pass | "
        + " | ".join(f"{name}, ms" for name in CONTESTANTS)
        + " | times Keras | times RNN(cell) | times torch | first step, s |",
        "| " + " | ".join(["---"] * (len(CONTESTANTS) + 8)) + " |",
    ]
    for index, row in enumerate(measured.rows):
        own = [ratios[rival][index] for rival in ratios]
        values = list(row.values())
        fields = [*values[:-1], *("" if x is None else f"{x:.2f}" for x in own), values[-1]]
        lines.append(f"| {' | '.join(fields)} |")
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
                medians, _ = interleaved(pair, seconds, min_turns=3)
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
            f"{measurements.machine()}. "
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
    parser.add_argument(
        "--every-cell", action="store_true", help="compare all cells with RNN(cell)"
    )
    parser.add_argument(
        "--parallel", action="store_true", help="compare parallel cells with the LSTM"
    )
    parser.add_argument("--results", type=pathlib.Path, help="CSV file of the measurements")
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
    path = arguments.results or measurements.path_of("layers")
    measured = Measurements(path, ("cell", "shape", "mode", "pass"))
    shapes = [SHAPES[int(index)] for index in arguments.shapes.split(",")]
    modes = arguments.modes.split(",")
    measure_layers(arguments.cells or vectors, shapes, modes, measured, arguments.seconds)
    if arguments.write:
        measurements.write_section(arguments.write, LAYERS, section_of_layers(measured))


if __name__ == "__main__":
    main()
