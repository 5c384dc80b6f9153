"""The results that each cell gave when it was added: weights, inputs and outputs, on disk.

    PYTHONPATH=.:tests/support python -m stored_cells [--overwrite NAME ...]

writes the entries of cells that have none yet, computed step by step. `--overwrite` is for cells
whose results are meant to change. Nothing here needs TensorFlow: `differences` runs on any Keras
backend, and `python -m stored_cells --differences [NAME ...]` prints the differences of all cells
or of those named.
"""

import argparse
import json
import pathlib
import zlib
from typing import Any

import keras
import numpy as np

import seqzoo.cells as cells

FILE = pathlib.Path(__file__).parents[1] / "cells" / "stored_cells.npz"

BATCH, TIME, FEATURES, UNITS = 2, 4, 6, 3
FRAME = (2, 3)
MASK = np.array([[1, 1, 0, 1], [1, 1, 1, 0]], bool)
"""The mask of the second run, which goes backwards."""

GRID = 64
"""Weights and inputs are multiples of 1 / GRID, which every precision represents exactly."""


def inputs_for(cell: Any, random: np.random.Generator) -> dict[str, np.ndarray]:
    """The inputs of `Recurrent` by name: "x", and "elapsed" if the cell takes the elapsed time."""
    frame = FRAME[: cell.input_rank - 2]
    found = {"x": _drawn(random, (BATCH, TIME, *frame, FEATURES))}
    if cell.takes_time:
        found["elapsed"] = np.abs(_drawn(random, (BATCH, TIME)))
    return found


def _drawn(random: np.random.Generator, shape: tuple) -> np.ndarray:
    return (np.round(random.normal(0, 0.5, shape) * GRID) / GRID).astype(np.float32)


def built(name: str) -> Any:
    """A built cell with its default options."""
    cell = cells.create(name, UNITS)
    frame = FRAME[: cell.input_rank - 2]
    cell.build((None, *frame, FEATURES + cell.takes_time))
    return cell


def outputs(cell: Any, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The results of `Recurrent`, computed step by step: all outputs and the last states, forwards
    without a mask and backwards with one."""
    x = (given["x"], given["elapsed"]) if "elapsed" in given else given["x"]
    found = {}
    for run, options in (("forward", {}), ("backward", {"mask": MASK})):
        layer = cells.Recurrent(
            cell,
            return_sequences=True,
            return_state=True,
            go_backwards=run == "backward",
            fast=False,
        )
        found |= _named(run, layer(x, **options))
    return found


def stock_outputs(cell: Any, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The forward run in `keras.layers.RNN`, with the elapsed time as the last feature."""
    x = given["x"]
    if "elapsed" in given:
        x = np.concatenate([x, given["elapsed"][..., None]], -1)
    # If it were not unrolled, JAX would compile the loop of each layer once more.
    layer = keras.layers.RNN(cell, return_sequences=True, return_state=True, unroll=True)
    return _named("forward", layer(x))


def _named(run: str, results: Any) -> dict[str, np.ndarray]:
    output, *states = (keras.ops.convert_to_numpy(tensor) for tensor in keras.tree.flatten(results))
    return {f"{run}/outputs": output} | {
        f"{run}/state_{number}": state for number, state in enumerate(states, 1)
    }


def entry(name: str) -> dict[str, np.ndarray]:
    """Everything that is stored for a cell: "weights/NUMBER/NAME", "inputs/..." and the outputs."""
    cell, random = built(name), np.random.default_rng(zlib.crc32(name.encode()))
    values = [_drawn(random, variable.shape) for variable in cell.weights]
    cell.set_weights(values)
    given = inputs_for(cell, random)
    found = {
        f"weights/{number}/{weight.name}": value
        for number, (weight, value) in enumerate(zip(cell.weights, values, strict=True))
    }
    found |= {f"inputs/{variable}": value for variable, value in given.items()}
    return found | outputs(cell, given)


def stored() -> dict[str, dict[str, np.ndarray]]:
    """The entries of the file, by cell."""
    found: dict[str, dict[str, np.ndarray]] = {}
    if FILE.exists():
        with np.load(FILE) as file:
            for key in file.files:
                name, _, part = key.partition("/")
                found.setdefault(name, {})[part] = file[key]
    return found


def differences(
    name: str, arrays: dict[str, np.ndarray], *, stock: bool = True
) -> dict[str, float]:
    """The largest difference of each result from the stored one, by layer and result; infinite if
    weights or results have other names or shapes.

    Args:
        name: name of the cell.
        arrays: its entry.
        stock: whether to run it in `keras.layers.RNN`, too.
    """
    cell = built(name)
    weights = {key: value for key, value in arrays.items() if key.startswith("weights/")}
    names = [f"weights/{number}/{weight.name}" for number, weight in enumerate(cell.weights)]
    if names != list(weights):
        return {f"weights are {', '.join(names)}": float("inf")}
    cell.set_weights(list(weights.values()))
    given = {key[7:]: value for key, value in arrays.items() if key.startswith("inputs/")}
    expected = {
        key: value for key, value in arrays.items() if key.startswith(("forward", "backward"))
    }
    forward = {key: value for key, value in expected.items() if key.startswith("forward")}
    found = {}
    runs: list[tuple] = [("Recurrent", outputs, expected)]
    runs += [("keras.layers.RNN", stock_outputs, forward)] if stock else []
    for layer, run, wanted in runs:
        results = run(cell, given)
        if results.keys() != wanted.keys():
            found[f"{layer}: results are {', '.join(results)}"] = float("inf")
            continue
        found |= {f"{layer}: {key}": _difference(results[key], wanted[key]) for key in wanted}
    return found


def _difference(actual: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, relative to the expected value where its magnitude is above 1."""
    if actual.shape != expected.shape:
        return float("inf")
    largest = np.max(np.abs(actual - expected) / np.maximum(np.abs(expected), 1))
    return float("inf") if np.isnan(largest) else float(largest)


def write(overwrite: list[str]) -> list[str]:
    """Stores the cells that have no entry, and those to overwrite.

    Returns:
        Their names.
    """
    found = stored()
    new = [name for name in cells.CELLS if name not in found or name in overwrite]
    found |= {name: entry(name) for name in new}
    arrays = {f"{name}/{key}": value for name in cells.CELLS for key, value in found[name].items()}
    np.savez_compressed(FILE, **arrays)  # pyright: ignore[reportArgumentType]
    return new


def main() -> None:
    """Stores cells, or prints differences; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--overwrite", nargs="+", default=[], choices=list(cells.CELLS))
    parser.add_argument("--differences", nargs="*", choices=list(cells.CELLS))
    arguments = parser.parse_args()
    if arguments.differences is not None:
        found = {
            name: max(differences(name, arrays).items(), key=lambda pair: pair[1])
            for name, arrays in stored().items()
            if name in (arguments.differences or cells.CELLS)
        }
        print(json.dumps({"backend": keras.backend.backend(), "differences": found}))
    else:
        print("Stored:", ", ".join(write(arguments.overwrite)) or "nothing new")


if __name__ == "__main__":
    main()
