"""Writes the measured speed of cells, for `seqzoo show`: `python -m docs.write_cell_measurements`.

Reads the newest results of `python -m benchmarks.speed --every-cell` and `benchmarks.adding`.
"""

import csv
import pathlib
import re

from seqzoo.zoo.catalogue import source_docs

ROOT = pathlib.Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
FILE = ROOT / "cells" / "measured.py"
NAME = re.compile(r"[a-z]+-(.+)-(\d+)-cores-tensorflow-([\d.]+)-keras-([\d.]+)")
PASSES = ("forward", "forward and backward")
HEAD = '''"""Measured speed of each cell, and its result on the adding problem.

Written by `python -m docs.write_cell_measurements`, so that showing them needs no TensorFlow.
"""

'''


def newest(benchmark: str) -> pathlib.Path:
    """The file of a benchmark's measurements, with the newest TensorFlow if there are several.

    Raises:
        FileNotFoundError: the benchmark has not been run.
    """

    def version(path: pathlib.Path) -> tuple[int, ...]:
        parts = NAME.fullmatch(path.stem)
        return tuple(map(int, parts[3].split("."))) if parts else ()

    candidates = list(RESULTS.glob(f"{benchmark}-*.csv"))
    machines = [path.stem.removeprefix(benchmark) for path in candidates]
    # "adding-curves-..." belongs to a different benchmark from "adding-...".
    paths = [
        path for path in candidates if sum(path.stem.endswith(machine) for machine in machines) == 1
    ]
    paths.sort(key=version)
    if not paths:
        raise FileNotFoundError(
            f"{RESULTS} must contain {benchmark}-*.csv; run the benchmark to make it"
        )
    return paths[-1]


def rows(benchmark: str) -> list[dict[str, str]]:
    """The rows of a benchmark's newest measurements."""
    with newest(benchmark).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def machine(path: pathlib.Path) -> str:
    """The processor and versions in the name of a file of measurements, as text.

    Raises:
        ValueError: the name does not have this form.
    """
    match = NAME.fullmatch(path.stem)
    if match is None:
        raise ValueError(f"{path.name} must be named after a processor and versions")
    processor = match[1].replace("-", " ").upper()
    return f"{processor}, {match[2]} cores, TensorFlow {match[3]}, Keras {match[4]}"


def speed() -> dict[str, dict[tuple[int, ...], tuple[float, ...]]]:
    """Milliseconds of each cell, by shape, as `seqzoo.cells.measured.SPEED`."""
    by_cell: dict[str, dict[tuple[int, ...], dict[str, tuple[float, float]]]] = {}
    for row in rows("speed"):
        shape = tuple(map(int, row["shape"].split()))
        times = (float(row["seqzoo, ms"]), float(row["Keras RNN(cell), ms"]))
        by_cell.setdefault(row["cell"], {}).setdefault(shape, {})[row["pass"]] = times
    return {
        cell: {
            shape: tuple(passes[name][side] for side in (0, 1) for name in PASSES)
            for shape, passes in shapes.items()
            if passes.keys() == set(PASSES)
        }
        for cell, shapes in by_cell.items()
    }


def adding() -> dict[str, tuple[int | None, float]]:
    """Training steps and error of each cell, as `seqzoo.cells.measured.ADDING`."""
    return {
        row["cell"]: (int(row["steps"]) if row["steps"] else None, float(row["error"]))
        for row in rows("adding")
    }


def text() -> str:
    """The contents of the file, for all cells that have been measured."""
    times, results, names = speed(), adding(), list(source_docs.registry())
    parts = [HEAD + f'MACHINE = "{machine(newest("speed"))}"\n']
    parts.append("SPEED: dict[str, dict[tuple[int, ...], tuple[float, ...]]] = {")
    for name in names:
        if name in times:
            parts.append(f'    "{name}": {{')
            parts += [f"        {shape}: {values}," for shape, values in times[name].items()]
            parts.append("    },")
    parts += [
        "}",
        '"""Milliseconds per pass, by (batch, time, features, units), or (batch, time, height, '
        "width,",
        "channels, units) for frames: the forward pass, and the forward and backward pass, of "
        "seqzoo's layer,",
        'then the same two of `keras.layers.RNN` around the cell."""\n',
        "ADDING: dict[str, tuple[int | None, float]] = {",
        *(f'    "{name}": {results[name]},' for name in names if name in results),
        "}",
        '"""Training steps until the adding problem is learned, or None, and squared error."""',
    ]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
