"""Initial weights by name, for cells that have been built: recurrent matrices and gate biases."""

from typing import Any

import numpy as np
from keras import ops

from seqzoo.cells.base import RecurrentCell, as_list, shape_of
from seqzoo.cells.wrappers.wrapper import WrapperCell

MATRICES = ("orthogonal", "identity", "spectral-radius")
GATES = ("chrono", "forget-bias")
NAMES = (*MATRICES, *GATES)
OPEN = 20.0
"""Pre-activation that opens a gate; its negative closes it."""


def initialize(cell: RecurrentCell, name: str, value: float | None = None, seed: int = 0) -> None:
    """Reinitialises the recurrent matrices or the gate biases of a built cell, or of the cells that
    it wraps.

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
    if name == "spectral-radius" and value is not None and not value > 0:
        raise ValueError(f"`initialization` spectral-radius takes a radius above 0, got {value!r}.")
    rng = np.random.default_rng(seed)
    number = 1.0 if value is None else float(value)
    for each in _inner_cells(cell):
        if name in MATRICES:
            _set_matrices(each, name, number, rng)
        else:
            _set_biases(each, name, number, rng)


def _inner_cells(cell: RecurrentCell) -> list[RecurrentCell]:
    """The cells that a wrapper wraps, through all wrappers; the cell itself if it is none."""
    if not isinstance(cell, WrapperCell):
        return [cell]
    return [each for inner in getattr(cell, "cells", [cell.cell]) for each in _inner_cells(inner)]


def keeping_gates(cell: RecurrentCell) -> dict[str, int]:
    """The gates whose bias controls how much of a state is retained, determined by running one
    step with matrices of zeros.

    Returns:
        By name of the gate, 1 if it retains the state when it is open, -1 if it forgets the state;
        empty for a cell whose gates have no biases of the size of a state.
    """
    bias, names = cell.bias, cell.biased_gates or cell.gates
    if bias is None or bias.shape[-1] / len(names) not in _sizes(cell):
        return {}
    before, results = cell.get_weights(), {}
    try:
        for weight in cell.weights:
            if len(weight.shape) > 1:
                weight.assign(np.zeros(weight.shape))
        for index, gate in enumerate(names):
            retained = []
            for value in (-OPEN, OPEN):
                numbers = np.zeros(bias.shape)
                parts = numbers.reshape(-1, len(names), bias.shape[-1] // len(names))[0]
                # `minlstm` divides by the sum of the two. `slstm` does not, and its joint states
                # need an input.
                if gate == "forget" and "input" in names and not cell.joint_states:
                    parts[names.index("input")] = -value
                parts[index] = value
                bias.assign(numbers)
                retained.append(_retention(cell))
            change = retained[1] - retained[0]
            largest = change[np.abs(change).argmax()]
            if abs(largest) > 0.9 and np.min(retained) > -0.1:
                results[gate] = int(np.sign(largest))
    finally:
        cell.set_weights(before)
    return results


def _sizes(cell: RecurrentCell) -> set[int]:
    return {shape_of(size)[-1] for size in as_list(cell.state_size)}


def _retention(cell: RecurrentCell) -> np.ndarray:
    """Fraction of each state, (states,), that a step retains for inputs of zeros: the new state
    from a state of 0.5, which `tanh` hardly changes, minus that from zeros, divided by 0.5."""
    count = len(as_list(cell.state_size))
    inputs = np.zeros((count + 1, *cell.get_build_config()["input_shape"][1:]))
    if cell.takes_time:
        inputs[..., -1] = 1
    states = [np.array(state) for state in cell.get_initial_state(count + 1)]
    for index, state in enumerate(states):
        state[:] = 0
        state[index + 1] = 0.5
    new = [ops.convert_to_numpy(state) for state in cell(inputs, states)[1]]
    return np.array([float((new[k][k + 1] - new[k][0]).mean()) / 0.5 for k in range(count)])


def _set_matrices(cell: RecurrentCell, name: str, value: float, rng: np.random.Generator) -> None:
    kernel = getattr(cell, "recurrent_kernel", None)
    rows, columns = kernel.shape if kernel is not None and len(kernel.shape) == 2 else (0, 1)
    square = cell.has_gate_matrices and rows > 0 and columns % rows == 0
    if kernel is None or not kernel.trainable or not square:
        raise ValueError(
            f"`initialization` {name} needs a trainable recurrent matrix, which "
            f"{type(cell).__name__} does not have."
        )
    if not _is_weight(cell, kernel):
        raise ValueError(
            f"`initialization` {name} needs a recurrent matrix that is a weight itself, but that "
            f"of {type(cell).__name__} is computed from one."
        )

    def block() -> np.ndarray:
        if name == "identity":
            return value * np.eye(rows)
        gaussian = rng.normal(size=(rows, rows))
        if name == "spectral-radius":
            return gaussian * (value / np.abs(np.linalg.eigvals(gaussian)).max())
        q, r = np.linalg.qr(gaussian)
        return value * q * np.sign(np.diag(r))

    blocks = [block() for _ in range(columns // rows)]
    kernel.assign(np.concatenate(blocks, axis=1))


def _is_weight(cell: RecurrentCell, kernel: Any) -> bool:
    """Whether the recurrent matrix equals the recurrent weights, tried with random ones: those of
    `orthogonal` would give an identity matrix for an identity matrix."""
    before = np.array(kernel)
    kernel.assign(np.random.default_rng(0).normal(size=kernel.shape))
    matrix = ops.convert_to_numpy(ops.cast(cell.recurrent_matrix(), "float32"))
    drawn = np.array(kernel)
    kernel.assign(before)
    # Half precision rounds the weights by less than one percent.
    tolerance = 1e-2 * np.abs(drawn).max()
    return matrix.shape == drawn.shape and np.allclose(matrix, drawn, atol=tolerance)


def _set_biases(cell: RecurrentCell, name: str, value: float, rng: np.random.Generator) -> None:
    gates, bias = keeping_gates(cell), cell.bias
    if bias is None or not gates:
        without = " without `gate_bias=true`" if getattr(cell, "gate_bias", True) is False else ""
        raise ValueError(
            f"`initialization` {name} needs gates with a bias of which one step shows that they "
            f"retain or forget a state, which {type(cell).__name__} does not have{without}."
        )
    names = cell.biased_gates or cell.gates
    values = np.array(bias)
    # A GRU has a second row, of recurrent biases.
    parts = values.reshape(-1, len(names), values.shape[-1] // len(names))[0]
    new = np.log(rng.uniform(1, value - 1, parts.shape[1])) if name == "chrono" else value
    for gate, sign in gates.items():
        parts[names.index(gate)] = sign * new
    if name == "chrono" and "input" in names and "input" not in gates:
        parts[names.index("input")] = -new
    bias.assign(values)
