"""The recurrent weights: singular values, eigenvalues and spectral radius, gate by gate."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqzoo.cells import RecurrentCell
from seqzoo.cells.private_keras import backend
from seqzoo.cells.wrappers.wrapper import WrapperCell
from seqzoo.tasks.inspection.linear_algebra import eigenvalues, singular_values

RADIUS = "spectral_radius"
"""Prefix of the columns of a history that contain spectral radii."""


@dataclass(frozen=True)
class Spectrum:
    """The spectrum of one gate's part of the recurrent weights.

    Attributes:
        gate: the name of the gate.
        singular_values: largest first, (n,).
        eigenvalues: complex, largest modulus first, (n,); None if the part is not square.
    """

    gate: str
    singular_values: np.ndarray
    eigenvalues: Any

    @property
    def radius(self) -> Any:
        """Spectral radius; None if the part is not square."""
        return None if self.eigenvalues is None else float(np.abs(self.eigenvalues[0]))


def spectrum(matrix: np.ndarray, gate: str = "") -> Spectrum:
    """Singular values and eigenvalues of a matrix."""
    matrix = np.asarray(matrix, np.float64)
    values = None
    if matrix.shape[0] == matrix.shape[1]:
        values = eigenvalues(matrix)
    return Spectrum(gate, singular_values(matrix), values)


def recurrent_parts(cell: Any) -> dict[str, np.ndarray]:
    """The matrices by which a cell multiplies its first state, one for each gate, (units, n).

    They are the columns of `recurrent_matrix` as the step uses it, even if a cell computes it from
    other weights. A cell without a recurrent product has none. A wrapper has those of its inner
    cells, by names such as "cell 2 forget" if there are several. For Keras' own cells, the columns
    of `recurrent_kernel` are split into square matrices.

    Args:
        cell: any cell, built.
    """
    inner: Mapping[str, Any] = {}
    if isinstance(cell, WrapperCell):
        inner = cell.inner_cells()
    elif isinstance(getattr(cell, "cells", None), list):
        inner = {f"cell {index}": item for index, item in enumerate(cell.cells, 1)}
    if inner:
        return {
            f"{name} {gate}".strip(): part
            for name, item in inner.items()
            for gate, part in recurrent_parts(item).items()
        }
    if isinstance(cell, RecurrentCell):
        if not cell.recurrent_gates or getattr(cell, "recurrent_kernel", None) is None:
            return {}
        with backend.AutocastScope(cell.compute_dtype):
            matrix = np.asarray(cell.recurrent_matrix(), np.float64)
        names = cell.recurrent_gates
    elif getattr(cell, "recurrent_kernel", None) is not None:
        matrix = np.asarray(cell.recurrent_kernel, np.float64)
        count = max(1, matrix.shape[1] // matrix.shape[0])
        names = tuple(f"gate {index + 1}" for index in range(count))
    else:
        return {}
    if matrix.ndim != 2 or matrix.shape[1] % len(names):
        return {"all": matrix} if matrix.ndim == 2 else {}
    return dict(zip(names, np.split(matrix, len(names), axis=1), strict=True))


def recurrent_spectra(cell: Any) -> list[Spectrum]:
    """The spectrum of each of a cell's `recurrent_parts`."""
    return [spectrum(part, gate) for gate, part in recurrent_parts(cell).items()]


def spectra_over_training(cells: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Spectral radii, or largest singular values of parts that are not square, over the course of
    training.

    Args:
        cells: the cell at different times, by names such as "epoch 3".

    Returns:
        For each gate, the metric at each time.
    """
    results: dict[str, dict[str, float]] = {}
    for moment, cell in cells.items():
        for item in recurrent_spectra(cell):
            metric = item.singular_values[0] if item.radius is None else item.radius
            results.setdefault(item.gate, {})[moment] = float(metric)
    return results


def radius_column(layer: str, gate: str) -> str:
    """The column of a history for a spectral radius, such as "spectral_radius_layer_1_update"."""
    return re.sub(r"\W+", "_", f"{RADIUS}_{layer}_{gate}")


def logged_radii(
    history: Sequence[Mapping[str, float]], layer: str, gates: Iterable[str]
) -> dict[str, list[float]]:
    """The spectral radii that a run logged with `log_health`, by gate: one number per epoch.

    Args:
        history: the rows of a history, as `Run.history` has them.
        layer: name of a layer, as `recurrent_layers` has it.
        gates: names of its gates.

    Returns:
        Only the gates that were logged in all epochs.
    """
    columns = {gate: radius_column(layer, gate) for gate in gates}
    return {
        gate: [row[column] for row in history]
        for gate, column in columns.items()
        if history and all(column in row for row in history)
    }
