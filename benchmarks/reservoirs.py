"""Compares echo state networks with reservoirpy: same sizes, search and data, in one run.

    python -m benchmarks.reservoirs [--reservoirpy PYTHON] [--series FOLDER] [--units 300]

Each library gets the same candidates (spectral radius, leak, scales of input and bias), the same
ridge penalties and the same seeds. The candidate and the penalty with the lowest validation error
are tested with three other seeds; the search is repeated --searches times. The metric of the series
is the NRMSE, the root mean squared error divided by the standard deviation of the target, `HORIZON`
steps ahead (Mackey-Glass, Lorenz) or of the output for an input (NARMA). The data sets in --series,
UCR or aeon files NAME_TRAIN and NAME_TEST, are classified by ridge regression on the mean and the
last state; their metric is the error rate. --reservoirpy is the Python interpreter of an
environment that has reservoirpy; without it, only seqzoo is measured.

Sources: Mackey and Glass, Science 197 (1977); Lorenz, Journal of the Atmospheric Sciences 20
(1963); NARMA of order ten: Atiya and Parlos, IEEE Transactions on Neural Networks 11 (2000).
"""

import argparse
import json
import pathlib
import subprocess
import sys
import time
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

HORIZON, WASHOUT = 10, 100
STEPS = {"train": 1000, "validation": 300, "test": 500}
CANDIDATES = 12
PENALTIES = 10.0 ** np.arange(-14, 3.5, 0.5)
"""Ridge penalties to try, relative to the mean variance of the states."""
TEST_SEEDS = (1, 2, 3)


class Part(NamedTuple):
    """Sequences and their targets.

    Attributes:
        inputs: arrays of (time, features).
        targets: (time, outputs) of a single sequence, or (sequences, classes).
    """

    inputs: list[np.ndarray]
    targets: np.ndarray


class Problem(NamedTuple):
    """Data of a problem.

    Attributes:
        parts: the splits "train", "validation" and "test".
        classes: whether the targets are a class per sequence instead of numbers per step.
    """

    parts: dict[str, Part]
    classes: bool


def candidates() -> list[dict[str, float]]:
    """The configurations to try, the same for all libraries."""
    rng = np.random.default_rng(0)
    return [
        {
            "spectral_radius": float(rng.uniform(0.4, 1.3)),
            "leak": float(10 ** rng.uniform(-1, 0)),
            "input_scale": float(10 ** rng.uniform(-1, 0.3)),
            "bias_scale": float(10 ** rng.uniform(-1.5, 0)),
        }
        for _ in range(CANDIDATES)
    ]


def mackey_glass(steps: int, delay: int) -> tuple[np.ndarray, np.ndarray]:
    """dx/dt = 0.2 x(t - delay) / (1 + x(t - delay)^10) - 0.1 x(t), with Euler steps of 0.1."""
    past = delay * 10
    x = np.full(past + 10 * (steps + HORIZON + 500), 1.2)
    for t in range(past, len(x) - 1):
        late = x[t - past]
        x[t + 1] = x[t] + 0.1 * (0.2 * late / (1 + late**10) - 0.1 * x[t])
    return _ahead(x[-10 * (steps + HORIZON) :: 10, None], steps)


def lorenz(steps: int) -> tuple[np.ndarray, np.ndarray]:
    """The Lorenz system with its usual parameters and Runge-Kutta steps of 0.02."""

    def slope(p):
        x, y, z = p
        return np.array([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z])

    points, h = [np.array([1.0, 1.0, 1.0])], 0.02
    for _ in range(steps + HORIZON + 499):
        p = points[-1]
        a = slope(p)
        b = slope(p + h / 2 * a)
        c = slope(p + h / 2 * b)
        points.append(p + h / 6 * (a + 2 * b + 2 * c + slope(p + h * c)))
    return _ahead(np.array(points[500:]), steps)


def narma(steps: int) -> tuple[np.ndarray, np.ndarray]:
    """y(t+1) = 0.3 y(t) + 0.05 y(t) (y(t) + ... + y(t-9)) + 1.5 u(t-9) u(t) + 0.1."""
    u = np.random.default_rng(0).uniform(0, 0.5, steps + 1)
    y = np.zeros(steps + 1)
    for t in range(9, steps):
        y[t + 1] = 0.3 * y[t] + 0.05 * y[t] * y[t - 9 : t + 1].sum() + 1.5 * u[t - 9] * u[t] + 0.1
    return u[:steps, None], y[1:, None]


def _ahead(series: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    return series[:steps], series[HORIZON : steps + HORIZON]


SERIES = {
    "Mackey-Glass, delay 17": lambda steps: mackey_glass(steps, 17),
    "Mackey-Glass, delay 30": lambda steps: mackey_glass(steps, 30),
    "Lorenz": lorenz,
    "NARMA10": narma,
}


def of_series(name: str) -> Problem:
    """A generated series, split in time; each part begins with the `WASHOUT` steps before it."""
    x, y = SERIES[name](sum(STEPS.values()))
    x = (x - x[: STEPS["train"]].mean(0)) / x[: STEPS["train"]].std(0)
    ends = np.cumsum([0, *STEPS.values()])
    parts = {
        part: Part([x[max(start - WASHOUT, 0) : end]], y[max(start, WASHOUT) : end])
        for part, start, end in zip(STEPS, ends, ends[1:], strict=False)
    }
    return Problem(parts, False)


def of_files(folder: pathlib.Path, name: str) -> Problem:
    """A data set of labelled series; every third training series is used for validation."""
    read = {part: _read(folder, f"{name}_{part}") for part in ("TRAIN", "TEST")}
    steps = np.concatenate(read["TRAIN"][0])
    mean, scale = steps.mean(0), steps.std(0)
    names = sorted(set(read["TRAIN"][1]))

    def part(file: str, selection: slice | np.ndarray) -> Part:
        rows, labels = read[file]
        rows = [(rows[k] - mean) / scale for k in np.arange(len(rows))[selection]]
        return Part(rows, np.eye(len(names))[[names.index(label) for label in labels[selection]]])

    held_out = np.arange(len(read["TRAIN"][0])) % 3 == 2
    parts = {"train": part("TRAIN", ~held_out), "validation": part("TRAIN", held_out)}
    return Problem(parts | {"test": part("TEST", slice(None))}, True)


def _read(folder: pathlib.Path, name: str) -> tuple[list[np.ndarray], np.ndarray]:
    """Series (time, features) and labels from a UCR text file or an aeon file."""
    path = folder / f"{name}.txt"
    if path.exists():
        rows = np.loadtxt(path)
        return [row[1:, None] for row in rows], rows[:, 0]
    rows, labels = [], []
    for line in (folder / f"{name}.ts").read_text(encoding="utf-8").splitlines():
        if line and line[0] not in "#@":
            *features, label = line.split(":")
            rows.append(np.array([[float(v) for v in values.split(",")] for values in features]).T)
            labels.append(label)
    return rows, np.array(labels)


class Seqzoo:
    """seqzoo: the states of a `Recurrent` layer, and a readout by seqzoo's ridge regression."""

    def __init__(self, dtype: str):
        self.dtype = dtype

    def states(self, x: list[np.ndarray], candidate: dict, seed: int, units: int) -> list:
        """The states (time, units) of a reservoir on each sequence."""
        from seqzoo.cells import Recurrent, create

        cell = create("echo-state", units, seed=seed, dtype=self.dtype, **candidate)
        layer = Recurrent(cell, return_sequences=True, dtype=self.dtype)
        lengths = [len(row) for row in x]
        padded = np.zeros((len(x), max(lengths), x[0].shape[1]), self.dtype)
        for row, steps in zip(padded, x, strict=True):
            row[: len(steps)] = steps
        out = layer(padded).numpy().astype("float64")
        return [row[:length] for row, length in zip(out, lengths, strict=True)]

    def fit(self, x: np.ndarray, y: np.ndarray, penalties: Iterable[float]):
        """Fits a readout with each penalty; returns functions from states to outputs."""
        from seqzoo.tasks.training import normal_equations

        sums = normal_equations.Moments.of(x, y, np.ones(len(y))).numpy()
        fits = normal_equations.fits(normal_equations.Moments(sums, x.shape[1]), penalties)
        return [lambda new, fit=fit: new @ fit.kernel + fit.bias for fit in fits]


class ReservoirPy:
    """reservoirpy: its nodes `Reservoir` and `Ridge`, whose penalty is not divided by the number of
    steps."""

    def states(self, x: list[np.ndarray], candidate: dict, seed: int, units: int) -> list:
        """The states (time, units) of a reservoir on each sequence."""
        from reservoirpy.nodes import Reservoir  # pyright: ignore[reportMissingImports]

        scale = candidate["bias_scale"]
        reservoir = Reservoir(
            units,
            sr=candidate["spectral_radius"],
            lr=candidate["leak"],
            input_scaling=candidate["input_scale"],
            bias=np.random.default_rng(seed).uniform(-scale, scale, units),
            seed=seed,
        )
        states = []
        for row in x:
            states.append(reservoir.run(row))
            reservoir.reset()
        return states

    def fit(self, x: np.ndarray, y: np.ndarray, penalties: Iterable[float]):
        """Fits a readout with each penalty; returns functions from states to outputs."""
        import warnings

        from reservoirpy.nodes import Ridge  # pyright: ignore[reportMissingImports]

        runs = []
        for penalty in penalties:
            node = Ridge(ridge=penalty * len(y) * float(x.var(0).mean()))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # ill-conditioned without a penalty
                node.fit(x, y)
            runs.append(node.run)
        return runs


def measure(library: Seqzoo | ReservoirPy, problem: Problem, units: int, searches: int) -> dict:
    """Searches and tests; returns the test errors, the chosen candidates and the CPU time."""
    parts = problem.parts

    def errors(candidate: dict, seed: int, penalties: np.ndarray, split: str) -> list[float]:
        train, held_out = parts["train"], parts[split]
        states = library.states([*train.inputs, *held_out.inputs], candidate, seed, units)
        if problem.classes:
            rows = np.array([[*state.mean(0), *state[-1]] for state in states])
            rows = np.split(rows, [len(train.inputs)])
        else:
            rows = [state[WASHOUT:] for state in states]
        y = held_out.targets
        values = []
        for run in library.fit(rows[0], train.targets, penalties):
            out = run(rows[1])
            if problem.classes:
                values.append(float(np.mean(out.argmax(1) != y.argmax(1))))
                # With few validation series, ties are common; the squared error breaks them.
                values[-1] += 1e-6 * float(np.mean((out - y) ** 2)) if split != "test" else 0.0
            else:
                values.append(float(np.sqrt(np.mean((out - y) ** 2) / y.var(0).mean())))
        return values

    began = time.process_time()
    tests, chosen = [], []
    for search in range(0, 10 * searches, 10):
        results = [
            (value, index, float(penalty))
            for index, candidate in enumerate(candidates())
            for value, penalty in zip(
                errors(candidate, search, PENALTIES, "validation"), PENALTIES, strict=True
            )
        ]
        _, index, penalty = min(results)
        best = candidates()[index]
        tests += [errors(best, seed, np.array([penalty]), "test")[0] for seed in TEST_SEEDS]
        chosen.append({"candidate": index, "penalty": penalty})
    return {"errors": tests, "chosen": chosen, "seconds": round(time.process_time() - began, 1)}


def run(
    library: Seqzoo | ReservoirPy, chosen: dict[str, Problem], units: int, searches: int
) -> dict:
    """Measures a library on each problem."""
    results = {}
    for name, problem in chosen.items():
        results[name] = measure(library, problem, units, searches)
        print(type(library).__name__, name, results[name], file=sys.stderr, flush=True)
    return results


def problems(folder: pathlib.Path | None) -> dict[str, Problem]:
    """All problems by name."""
    by_name = {name: of_series(name) for name in SERIES}
    if folder is not None:
        sets = {path.name.partition("_")[0] for path in folder.glob("*_TRAIN.*")}
        by_name |= {name: of_files(folder, name) for name in sorted(sets)}
    return by_name


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reservoirpy", help="Python interpreter that has reservoirpy")
    parser.add_argument("--series", type=pathlib.Path, help="folder of data sets to classify")
    parser.add_argument("--units", type=int, default=300)
    parser.add_argument("--searches", type=int, default=3, help="number of searches")
    parser.add_argument("--problems", nargs="*", help="names; all by default")
    parser.add_argument("--float32", action="store_true", help="also measure seqzoo in float32")
    parser.add_argument("--contestant", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    chosen = {
        name: problem
        for name, problem in problems(args.series).items()
        if not args.problems or name in args.problems
    }
    if args.contestant:
        print(json.dumps(run(ReservoirPy(), chosen, args.units, args.searches)))
        return
    other = None
    if args.reservoirpy:
        command = [args.reservoirpy, __file__, *sys.argv[1:], "--contestant"]
        other = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    results = {"seqzoo": run(Seqzoo("float64"), chosen, args.units, args.searches)}
    if args.float32:
        results["seqzoo, float32"] = run(Seqzoo("float32"), chosen, args.units, args.searches)
    if other is not None:
        out, _ = other.communicate()
        results["reservoirpy"] = json.loads(out.splitlines()[-1])
    print(
        f"| {args.units} units | " + " | ".join(results) + " |\n| --- |" + " --- |" * len(results)
    )
    for name, problem in chosen.items():
        cells = []
        for of_library in results.values():
            errors = of_library[name]["errors"]
            if problem.classes:
                errors = [100 * value for value in errors]
                cells.append(f"{np.mean(errors):.1f}% ({min(errors):.1f}% to {max(errors):.1f}%)")
            else:
                cells.append(f"{np.mean(errors):.2e} ({min(errors):.2e} to {max(errors):.2e})")
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
