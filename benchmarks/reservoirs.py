"""Echo state networks beside reservoirpy: equal sizes, equal search, the same series, in one run.

    python -m benchmarks.reservoirs [--reservoirpy PYTHON]

Each library gets the same candidates (spectral radius, leak, input scale), the same penalties of
the ridge regression, and the same seeds. The candidate and the penalty with the least error in
validation are tested with other seeds. Errors are those of `HORIZON` steps ahead of a series that
is given (Mackey-Glass, Lorenz), or of the output for an input (NARMA), over the standard deviation
of the target (NRMSE). Without --reservoirpy, the interpreter of an environment that has it, only
seqzoo is measured.

Sources: Mackey and Glass, Science 197 (1977); Lorenz, Journal of the Atmospheric Sciences 20
(1963); NARMA of order ten: Atiya and Parlos, IEEE Transactions on Neural Networks 11 (2000).
"""

import argparse
import json
import subprocess
import sys

import numpy as np

UNITS, HORIZON, WASHOUT = 300, 10, 100
STEPS = {"train": 2000, "validation": 500, "test": 1000}
CANDIDATES = [
    {"spectral_radius": radius, "leak": leak, "input_scale": scale}
    for radius in (0.9, 1.2)
    for leak in (0.3, 1.0)
    for scale in (0.2, 1.0)
]
PENALTIES = 10.0 ** np.arange(-14, 1)
"""In units of the mean variance of the states."""
SEARCH_SEED, TEST_SEEDS = 0, (1, 2, 3)


def mackey_glass(steps: int, delay: int) -> tuple[np.ndarray, np.ndarray]:
    """dx/dt = 0.2 x(t - delay) / (1 + x(t - delay)^10) - 0.1 x(t), by Euler steps of 0.1."""
    past = delay * 10
    x = np.full(past + 10 * (steps + HORIZON + 500), 1.2)
    for t in range(past, len(x) - 1):
        late = x[t - past]
        x[t + 1] = x[t] + 0.1 * (0.2 * late / (1 + late**10) - 0.1 * x[t])
    return _ahead(x[-10 * (steps + HORIZON) :: 10, None], steps)


def lorenz(steps: int) -> tuple[np.ndarray, np.ndarray]:
    """The Lorenz system with its usual parameters, by Runge-Kutta steps of 0.02."""

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


TASKS = {
    "Mackey-Glass, delay 17": lambda steps: mackey_glass(steps, 17),
    "Mackey-Glass, delay 30": lambda steps: mackey_glass(steps, 30),
    "Lorenz": lorenz,
    "NARMA10": narma,
}


class Seqzoo:
    """States from a `Recurrent` layer in float64, the readout by its ridge regression."""

    def states(self, x: np.ndarray, candidate: dict, seed: int) -> np.ndarray:
        from seqzoo.cells import Recurrent, create

        cell = create("echo-state", UNITS, seed=seed, dtype="float64", **candidate)
        return Recurrent(cell, return_sequences=True, dtype="float64")(x[None])[0].numpy()

    def fit(self, states: np.ndarray, y: np.ndarray, penalty: float):
        from seqzoo.tasks.training.normal_equations import Moments, ridge

        sums = Moments.of(states, y, np.ones(len(y))).numpy()
        fit = ridge(Moments(sums, states.shape[1]), None, penalty)
        return lambda new: new @ fit.kernel + fit.bias


class ReservoirPy:
    """reservoirpy's `Reservoir` and `Ridge` nodes, whose penalty is not divided by the steps."""

    def states(self, x: np.ndarray, candidate: dict, seed: int) -> np.ndarray:
        from reservoirpy.nodes import Reservoir  # pyright: ignore[reportMissingImports]

        reservoir = Reservoir(
            UNITS,
            sr=candidate["spectral_radius"],
            lr=candidate["leak"],
            input_scaling=candidate["input_scale"],
            seed=seed,
        )
        return reservoir.run(x)

    def fit(self, states: np.ndarray, y: np.ndarray, penalty: float):
        from reservoirpy.nodes import Ridge  # pyright: ignore[reportMissingImports]

        node = Ridge(ridge=penalty * len(y) * float(states.var(0).mean()))
        node.fit(states, y)
        return node.run


def errors(library: Seqzoo | ReservoirPy, x: np.ndarray, y: np.ndarray) -> dict:
    """The best candidate and penalty, and the errors in the test with each seed."""
    ends = np.cumsum([0, *STEPS.values()])
    parts = dict(zip(STEPS, map(slice, ends, ends[1:]), strict=False))
    parts["train"] = slice(WASHOUT, STEPS["train"])
    x = (x - x[parts["train"]].mean(0)) / x[parts["train"]].std(0)

    def error(candidate, seed, penalties, part):
        states = library.states(x, candidate, seed)
        found = {}
        for penalty in penalties:
            run = library.fit(states[parts["train"]], y[parts["train"]], penalty)
            off = run(states[parts[part]]) - y[parts[part]]
            found[penalty] = float(np.sqrt(np.mean(off**2) / y[parts[part]].var(0).mean()))
        return found

    tried = [
        (value, penalty, index)
        for index, candidate in enumerate(CANDIDATES)
        for penalty, value in error(candidate, SEARCH_SEED, PENALTIES, "validation").items()
    ]
    _, penalty, index = min(tried)
    best = CANDIDATES[index]
    tests = [error(best, seed, [penalty], "test")[penalty] for seed in TEST_SEEDS]
    return {"errors": tests, "penalty": penalty, **best}


def measure(library: Seqzoo | ReservoirPy) -> dict:
    """What a library reaches in each task."""
    steps = sum(STEPS.values())
    return {name: errors(library, *make(steps)) for name, make in TASKS.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reservoirpy", help="an interpreter whose environment has reservoirpy")
    parser.add_argument("--contestant", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.contestant:
        print(json.dumps(measure(ReservoirPy())))
        return
    found = {"seqzoo": measure(Seqzoo())}
    if args.reservoirpy:
        command = [args.reservoirpy, __file__, "--contestant"]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        found["reservoirpy"] = json.loads(done.stdout.splitlines()[-1])
    print("| task | " + " | ".join(found) + " |\n| --- |" + " --- |" * len(found))
    for task in TASKS:
        cells = []
        for of_library in found.values():
            values = of_library[task]["errors"]
            cells.append(f"{np.mean(values):.2e} ({min(values):.2e} to {max(values):.2e})")
        print(f"| {task} | {' | '.join(cells)} |")
    print(json.dumps(found, indent=1), file=sys.stderr)


if __name__ == "__main__":
    main()
