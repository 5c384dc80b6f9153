"""Every template with every form of input satisfies the contract of a task; see `run_task_test`."""

import pytest
from cell_names import BEFORE_RELEASES
from task_contract import Case, cases, run_task_test

import seqzoo.cells


@pytest.fixture(autouse=True)
def plain_loop():
    """Traces the plain loop: compiling each cell's fast one is tested where the cells are."""
    with seqzoo.cells.portable():
        yield


FIRST = {case.template: str(case) for case in reversed([*cases()])}
"""The first case of each template: one is quick, and all but the longest are slow; the rest is left
to releases."""

LONGEST = (FIRST["many-to-many-encoder-decoder"], FIRST["one-to-many"])


def _marks(case: Case) -> list:
    if str(case) == FIRST["many-to-one"]:
        return []
    slow = str(case) in FIRST.values() and str(case) not in LONGEST
    return [pytest.mark.slow] if slow else BEFORE_RELEASES


CASES = [pytest.param(case, id=str(case), marks=_marks(case)) for case in cases()]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.usefixtures("kept_process")
def test_a_task_fulfils_its_contract(case: Case, tmp_path, clean_tensorflow) -> None:
    run_task_test(case, tmp_path, clean_tensorflow)
