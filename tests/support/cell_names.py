"""Says when a test over all cells runs each cell: always, in slow tests, or before releases."""

from collections.abc import Iterable
from typing import Any

import pytest

from seqzoo.cells import CELLS, RecurrentCell, create
from seqzoo.cells.base import as_list
from seqzoo.cells.registry import REGISTRY

FIRST = {REGISTRY[name].family: name for name in reversed(REGISTRY)}
"""The first cell of each family."""

FRAMES = ("conv-lstm", "conv-gru")
"""Cells for frames, which templates do not take."""

BEFORE_RELEASES = [pytest.mark.slow, pytest.mark.exhaustive]


def each_cell(quick: Iterable[str], leave_out: Iterable[str] = ()) -> list[Any]:
    """The names of all cells as parameters of a test.

    Args:
        quick: cells that always run; of the others, the first of each family is slow, and the rest
            run before a release.
        leave_out: cells that the test does not apply to.
    """
    quick, leave_out = set(quick), set(leave_out)

    def marks(name: str) -> list:
        if name in quick:
            return []
        return [pytest.mark.slow] if name in FIRST.values() else BEFORE_RELEASES

    return [pytest.param(name, marks=marks(name)) for name in REGISTRY if name not in leave_out]


def by_hand(name: str, **options: Any) -> bool:
    """Whether a cell's gradient is written by hand, not derived by TensorFlow."""
    cell = create(name, 2, **options)
    return cell.has_step_gradient or cell.recurs_diagonally


METHODS = ("advance", "prepare", "project", "recur", "recurrent_mask", "step_weights")
"""Methods other than `step` that a cell may override."""


def form(name: str) -> tuple:
    """Everything about a cell that the compiled loops distinguish: each cell has its own step, but
    the code around it is the same for all cells of a form."""
    cell = create(name, 2)
    return (
        cell.recurs_by_product,
        cell.recurs_diagonally,
        cell.has_step_gradient,
        cell.combines_output,
        cell.takes_time,
        cell.input_rank,
        len(as_list(cell.state_size)),
        bool(cell.unit_weights),
        bool(cell.separate),
        *(getattr(CELLS[name], item) is not getattr(RecurrentCell, item) for item in METHODS),
    )


def one_of_each_form(known: Iterable[str]) -> set[str]:
    """The first cell of each form that none of the known cells has."""
    forms = {form(name) for name in known}
    firsts = {form(name): name for name in reversed(REGISTRY)}
    return {name for key, name in firsts.items() if key not in forms}
