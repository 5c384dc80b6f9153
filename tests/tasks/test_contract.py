"""Every template with every form of input keeps the contract of a task; see `run_task_test`."""

import pytest
from cell_names import BEFORE_RELEASES
from task_contract import Case, cases, run_task_test

import seqzoo.cells


@pytest.fixture(autouse=True)
def plain_loop():
    """Traces the plain loop: compiling each cell's fast one is tested where the cells are."""
    with seqzoo.cells.portable():
        yield


QUICK = "many-to-one-characters-class"
"""What all tasks share, in a quick run; each template has quick tests of its own."""


def _slow(case: Case) -> list:
    """Slow; where another case of the template has the form of its input, left to releases."""
    return [pytest.mark.slow] if case.first else BEFORE_RELEASES


CASES = [
    pytest.param(own, id=str(own), marks=[] if str(own) == QUICK else _slow(own)) for own in cases()
]


@pytest.mark.parametrize("case", CASES)
def test_a_task_keeps_its_contract(case: Case, tmp_path, clean_tensorflow) -> None:
    run_task_test(case, tmp_path, clean_tensorflow)
