"""A simple baseline for forecasts: least squares on the previous steps.

    python -m benchmarks.baseline_series FILE.npz [STEPS ...]

It is fitted to the first 90% of the series in the file and scored on the rest.
"""

import argparse
import pathlib

import numpy as np

TEST = 0.1
"""Fraction of the series, at its end, that is used for testing."""


def errors(series: np.ndarray, steps: int) -> tuple[float, float]:
    """Mean absolute error and root mean squared error for the next step."""
    before = np.lib.stride_tricks.sliding_window_view(series[:-1], steps)
    inputs = np.concatenate([before, np.ones((len(before), 1))], 1)
    targets, test = series[steps:], int(len(series) * TEST)
    weights = np.linalg.lstsq(inputs[:-test], targets[:-test], rcond=None)[0]
    residuals = inputs[-test:] @ weights - targets[-test:]
    return float(np.abs(residuals).mean()), float(np.sqrt((residuals**2).mean()))


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", type=pathlib.Path, help="file that benchmarks.tables wrote")
    parser.add_argument(
        "steps", type=int, nargs="*", help="numbers of previous steps; 1, 7 and 30 by default"
    )
    args = parser.parse_args()
    with np.load(args.file) as arrays:
        series = arrays["inputs"].astype(float)
    for steps in args.steps or (1, 7, 30):
        mean, root = errors(series, steps)
        print(f"{steps} steps: mean absolute error {mean:.3f}, root mean squared error {root:.3f}")


if __name__ == "__main__":
    main()
