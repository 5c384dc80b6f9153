"""Initial weights by name, for cells that have been built: recurrent matrices and gate biases."""

from typing import Any

import numpy as np
from keras import ops

from seqzoo.cells.base import RecurrentCell

MATRICES = ("orthogonal", "identity", "spectral-radius")
GATES = ("chrono", "forget-bias")
NAMES = (*MATRICES, *GATES)
OPEN = 20.0
"""Pre-activation that opens a gate; its negative closes it."""


def initialize(cell: RecurrentCell, name: str, value: float | None = None, seed: int = 0) -> None:
    """Reinitialises the recurrent matrices or the gate biases of a built cell.

    - "orthogonal": each gate's recurrent matrix is random orthogonal, times `value` (default 1).
    - "identity": each gate's recurrent matrix is the identity, times `value` (default 1).
    - "spectral-radius": each gate's recurrent matrix is Gaussian, scaled to the spectral radius
      `value` (default 1).
    - "forget-bias": the bias of the gates that retain a state is `value` (default 1).
    - "chrono": the time constants of the gates that retain a state are spread between 2 and
      `value`, the longest expected dependency in steps: their bias is log(u), with u uniform from 1
      to value - 1, and the bias of an input gate is the negative of that.

    Gates that forget when they are open, such as the gate of the gated cell, get the negative bias.

    Reference: "identity": Le, Jaitly and Hinton, "A Simple Way to Initialize Recurrent Networks of
    Rectified Linear Units", arXiv 1504.00941, 2015; "forget-bias": Jozefowicz, Zaremba and
    Sutskever, "An Empirical Exploration of Recurrent Network Architectures", ICML 2015, section
    3.2; "chrono": Tallec and Ollivier, "Can Recurrent Neural Networks Warp Time?", ICLR 2018,
    equation 16.

    Args:
        cell: a cell that has been built.
        name: one of `NAMES`.
        value: the scale, radius, bias or number of steps (see above); None for the default.
        seed: random seed.

    Raises:
        ValueError: `name` is not one of `NAMES`, the cell has no such matrix or gate or computes
            its matrix from the weight, or `value` is missing or out of range.
    """
    if name not in NAMES:
        raise ValueError(f"`initialization` must be one of {', '.join(NAMES)}, got {name!r}.")
    if name == "chrono" and (value is None or not value > 2):
        raise ValueError(
            "`initialization` chrono takes the longest dependency in steps, above 2, as in "
            f"chrono:100, got {value!r}."
        )
    if value is not None and not np.isfinite(value):
        raise ValueError(f"`initialization` {name} takes a finite number, got {value!r}.")
    rng = np.random.default_rng(seed)
    number = 1.0 if value is None else float(value)
    if name in MATRICES:
        _set_matrices(cell, name, number, rng)
    else:
        _set_biases(cell, name, number, rng)


def keeping_gates(cell: RecurrentCell) -> dict[str, int]:
    """The gates that control how much of a state is retained, determined by running one step.

    Returns:
        By name of the gate, 1 if it retains the state when it is open, -1 if it forgets the state;
        empty for cells without `step`.
    """
    if not cell.recurs_by_product:
        return {}
    results = {}
    for gate in cell.gates:
        closed, opened = _retention(cell, gate, -OPEN), _retention(cell, gate, OPEN)
        change = opened - closed
        largest = change[np.abs(change).argmax()]
        if abs(largest) > 0.9 and min(opened.min(), closed.min()) > -0.1:
            results[gate] = int(np.sign(largest))
    return results


def _retention(cell: RecurrentCell, gate: str, value: float) -> np.ndarray:
    """Fraction of each state, (states,), that a step retains with `value` as a gate's
    pre-activation: the new state from a state of ones minus that from zeros."""
    dtype = cell.compute_dtype
    zeros = ops.zeros((1, cell.units), dtype)
    x = cell.Gates(*[zeros + value if name == gate else zeros for name in cell.gates])
    r = cell.RecurrentGates(*[zeros for _ in cell.recurrent_gates or ()])
    count = len(cell.get_initial_state(1))
    fractions = []
    for k in range(count):
        new = []
        for state in (1.0, 0.0):
            states = [zeros + state if j == k else zeros for j in range(count)]
            new.append(cell.step(x, r, states, *cell.step_weights())[1][k])
        fractions.append(float(np.mean(ops.convert_to_numpy(new[0] - new[1]))))
    return np.array(fractions)


def _set_matrices(cell: RecurrentCell, name: str, value: float, rng: np.random.Generator) -> None:
    kernel = getattr(cell, "recurrent_kernel", None)
    rows, columns = kernel.shape if kernel is not None and len(kernel.shape) == 2 else (0, 1)
    if kernel is None or not kernel.trainable or rows == 0 or columns % rows:
        raise ValueError(
            f"`initialization` {name} needs a trainable recurrent matrix, which "
            f"{type(cell).__name__} does not have."
        )

    def block() -> np.ndarray:
        if name == "identity":
            return value * np.eye(rows)
        gaussian = rng.normal(size=(rows, rows))
        if name == "spectral-radius":
            return gaussian * (value / np.abs(np.linalg.eigvals(gaussian)).max())
        q, r = np.linalg.qr(gaussian)
        return value * q * np.sign(np.diag(r))

    before, blocks = np.array(kernel), [block() for _ in range(columns // rows)]
    kernel.assign(np.concatenate(blocks, axis=1))
    matrix = ops.convert_to_numpy(ops.cast(cell.recurrent_matrix(), "float32"))
    # Half precision rounds the weights by less than one percent.
    tolerance = 1e-2 * np.abs(np.array(kernel)).max()
    if matrix.shape != kernel.shape or not np.allclose(matrix, np.array(kernel), atol=tolerance):
        kernel.assign(before)
        raise ValueError(
            f"`initialization` {name} needs a recurrent matrix that is a weight itself, but that "
            f"of {type(cell).__name__} is computed from one."
        )


def _set_biases(cell: RecurrentCell, name: str, value: float, rng: np.random.Generator) -> None:
    gates, bias = keeping_gates(cell), cell.bias
    size = len(cell.gates) * cell.units
    biased: Any = getattr(cell, "biased_gates", None) or cell.gates
    if bias is not None and int(np.prod(bias.shape)) not in (size, 2 * size):
        # The bias may have entries for `biased_gates` only.
        if bias.shape != (len(biased) * cell.units,):
            bias = None
    gates = {gate: sign for gate, sign in gates.items() if gate in biased}
    if bias is None or not gates:
        raise ValueError(
            f"`initialization` {name} needs gates with a bias of which one step shows that they "
            f"retain or forget a state, which {type(cell).__name__} does not have."
        )
    values = np.array(bias)
    # A GRU has a second row, of recurrent biases.
    row = values.reshape(-1, len(biased) * cell.units)[0]
    new = np.log(rng.uniform(1, value - 1, cell.units)) if name == "chrono" else value
    columns = {gate: slice(k * cell.units, (k + 1) * cell.units) for k, gate in enumerate(biased)}
    for gate, sign in gates.items():
        row[columns[gate]] = sign * new
    if name == "chrono" and "input" in columns and "input" not in gates:
        row[columns["input"]] = -new
    bias.assign(values)
