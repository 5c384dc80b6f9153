"""How many files a value passes on its way through the code, and how often it comes back to one."""

import pytest
import tensorflow  # noqa: F401  importing it while calls are traced takes twice as long

from benchmarks.walks import run

MOST = {
    "a training example to its loss": (25, 40),
    "a text to its answer": (18, 20),
}
"""Files and returns; `benchmarks/walks.py` has the counting rule."""


@pytest.mark.slow
def test_values_pass_few_files() -> None:
    result = run()
    assert result.keys() == MOST.keys()
    for walk, counted in result.items():
        files, returns = MOST[walk]
        assert counted["files"] <= files and counted["returns"] <= returns, (walk, counted)
        # The walk is traced from end to end.
        assert {"tasks/many_to_one/task.py", "cells/base.py"} <= counted["visits"].keys()
