"""Initial weights by name, for cells that have been built: recurrent matrices and gates' biases."""

from typing import Any

import numpy as np
from keras import ops

from seqzoo.cells.base import RecurrentCell

MATRICES = ("orthogonal", "identity", "spectral-radius")
GATES = ("chrono", "forget-bias")
NAMES = (*MATRICES, *GATES)
OPEN = 20.0
"""A gate's input that opens it."""


def initialize(cell: RecurrentCell, name: str, value: float | None = None, seed: int = 0) -> None:
    """Reinitialises weights of a built cell.

    - "orthogonal": the recurrent matrix of each gate is orthogonal, times `value` (default 1).
    - "identity": it is the identity matrix, times `value` (default 1).
    - "spectral-radius": it is Gaussian, scaled to the spectral radius `value` (default 1).
    - "forget-bias": the bias of the gates that keep a state is `value` (default 1).
    - "chrono": these gates have time constants that are spread between 1 and `value`, the longest
      dependency expected, in steps: their bias is log(u), u uniform from 1 to value - 1, and that
      of an input gate its negative.

    A gate that forgets when it is open, such as that of the gated cell, gets the negative.

    Reference: "identity": Le, Jaitly and Hinton, "A Simple Way to Initialize Recurrent Networks of
    Rectified Linear Units", arXiv 1504.00941, 2015; "forget-bias": Jozefowicz, Zaremba and
    Sutskever, "An Empirical Exploration of Recurrent Network Architectures", ICML 2015, section
    3.2; "chrono": Tallec and Ollivier, "Can Recurrent Neural Networks Warp Time?", ICLR 2018,
    equation 16.

    Args:
        cell: the cell, built.
        name: one of `NAMES`.
        value: the number, for names that take one.
        seed: random seed.

    Raises:
        ValueError: there is no such name, the cell has no such matrix or gate, or `value` is out of
            its range.
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
    """The gates that decide which share of a state is kept, found from the equations of one step.

    Returns:
        by gate name, 1 for gates that keep the state when they are open, -1 for those that forget
        it.
    """
    if not cell.recurs_by_product:
        return {}
    results = {}
    for gate in cell.gates:
        closed, opened = _kept(cell, gate, -OPEN), _kept(cell, gate, OPEN)
        change = opened - closed
        largest = change[np.abs(change).argmax()]
        if abs(largest) > 0.9 and min(opened.min(), closed.min()) > -0.1:
            results[gate] = int(np.sign(largest))
    return results


def _kept(cell: RecurrentCell, gate: str, value: float) -> np.ndarray:
    """How much of a state is kept in a step: the new states from states of one, minus those from
    states of zero."""
    dtype = cell.compute_dtype
    zeros = ops.zeros((1, cell.units), dtype)
    x = cell.Gates(*[zeros + value if name == gate else zeros for name in cell.gates])
    r = cell.RecurrentGates(*[zeros for _ in cell.recurrent_gates or ()])
    count = len(cell.get_initial_state(1))
    kept = []
    for k in range(count):
        new = []
        for state in (1.0, 0.0):
            states = [zeros + state if j == k else zeros for j in range(count)]
            new.append(cell.step(x, r, states, *cell.step_weights())[1][k])
        kept.append(float(np.mean(ops.convert_to_numpy(new[0] - new[1]))))
    return np.array(kept)


def _set_matrices(cell: RecurrentCell, name: str, value: float, rng: np.random.Generator) -> None:
    kernel = getattr(cell, "recurrent_kernel", None)
    rows, columns = kernel.shape if kernel is not None and len(kernel.shape) == 2 else (0, 1)
    if kernel is None or not kernel.trainable or rows == 0 or columns % rows:
        raise ValueError(
            f"`initialization` {name} is for a recurrent matrix that is trained, which "
            f"{type(cell).__name__} does not have."
        )

    def block() -> np.ndarray:
        if name == "identity":
            return value * np.eye(rows)
        drawn = rng.normal(size=(rows, rows))
        if name == "spectral-radius":
            return drawn * (value / np.abs(np.linalg.eigvals(drawn)).max())
        q, r = np.linalg.qr(drawn)
        return value * q * np.sign(np.diag(r))

    kernel.assign(np.concatenate([block() for _ in range(columns // rows)], axis=1))


def _set_biases(cell: RecurrentCell, name: str, value: float, rng: np.random.Generator) -> None:
    gates, bias = keeping_gates(cell), cell.bias
    size = len(cell.gates) * cell.units
    named: Any = getattr(cell, "biased_gates", None) or cell.gates
    if bias is not None and int(np.prod(bias.shape)) not in (size, 2 * size):
        # Not every gate has a bias; those that have one are named.
        if bias.shape != (len(named) * cell.units,):
            bias = None
    gates = {gate: sign for gate, sign in gates.items() if gate in named}
    if bias is None or not gates:
        raise ValueError(
            f"`initialization` {name} is for gates with a bias that keep or forget a state, which "
            f"{type(cell).__name__} does not have."
        )
    values = np.array(bias)
    row = values.reshape(-1, len(named) * cell.units)[
        0
    ]  # a GRU has a second row, of recurrent ones
    drawn = np.log(rng.uniform(1, value - 1, cell.units)) if name == "chrono" else value
    parts = {gate: slice(k * cell.units, (k + 1) * cell.units) for k, gate in enumerate(named)}
    for gate, sign in gates.items():
        row[parts[gate]] = sign * drawn
    if name == "chrono" and "input" in parts and "input" not in gates:
        row[parts["input"]] = -drawn
    bias.assign(values)
