"""When a test over all cells runs each of them: each time, in the slow tests, before a release."""

from collections.abc import Iterable
from typing import Any

import pytest

from seqzoo.cells.registry import REGISTRY

FIRST = {REGISTRY[name].family: name for name in reversed(REGISTRY)}
"""The first cell of each family."""

FRAMES = ("conv-lstm", "conv-gru")
"""Cells of frames, which templates do not take."""

BEFORE_RELEASES = [pytest.mark.slow, pytest.mark.exhaustive]


def each_cell(quick: Iterable[str], leave_out: Iterable[str] = ()) -> list[Any]:
    """The names of all cells as parameters of a test.

    Args:
        quick: cells that run each time; of the others the first of each family is slow, and the
            rest runs before a release.
        leave_out: cells that the test is not for.
    """
    quick, leave_out = set(quick), set(leave_out)

    def marks(name: str) -> list:
        if name in quick:
            return []
        return [pytest.mark.slow] if name in FIRST.values() else BEFORE_RELEASES

    return [pytest.param(name, marks=marks(name)) for name in REGISTRY if name not in leave_out]
