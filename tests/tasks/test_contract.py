"""Every template with every form of input keeps the contract of a task; see `run_task_test`."""

import pytest
from task_contract import Case, cases, run_task_test

import seqzoo.cells


@pytest.fixture(autouse=True)
def plain_loop():
    """Traces the plain loop: compiling each cell's fast one is tested where the cells are."""
    with seqzoo.cells.portable():
        yield


QUICK = {own.template: str(own) for own in reversed([*cases()])}
"""The first case of each template."""

CASES = [
    pytest.param(own, id=str(own), marks=[] if str(own) in QUICK.values() else [pytest.mark.slow])
    for own in cases()
]


@pytest.mark.parametrize("case", CASES)
def test_a_task_keeps_its_contract(case: Case, tmp_path, clean_tensorflow) -> None:
    run_task_test(case, tmp_path, clean_tensorflow)
