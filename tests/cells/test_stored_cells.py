"""Cells compute the same numbers as when they were added, on each backend of Keras."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import pytest
import stored_cells
from cell_names import BEFORE_RELEASES, FIRST

from seqzoo.cells import CELLS

TOLERANCE = 1e-5
STORED = stored_cells.stored()


def test_every_cell_is_stored():
    assert list(STORED) == list(CELLS), "run `python -m stored_cells`, see its docstring"


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_reproduces_the_stored_numbers(name):
    found = stored_cells.differences(name, STORED[name], stock=False)
    assert {
        key: difference for key, difference in found.items() if not difference <= TOLERANCE
    } == {}


def test_a_stored_cell_is_not_overwritten_without_being_asked(monkeypatch, tmp_path):
    other = {"lstm": STORED["lstm"] | {"inputs/x": STORED["lstm"]["inputs/x"] + 1}}
    monkeypatch.setattr(stored_cells.cells, "CELLS", {"lstm": CELLS["lstm"], "gru": CELLS["gru"]})
    monkeypatch.setattr(stored_cells, "FILE", tmp_path / "cells.npz")
    monkeypatch.setattr(stored_cells, "stored", lambda: dict(other))
    assert stored_cells.write([]) == ["gru"]
    monkeypatch.undo()
    monkeypatch.setattr(stored_cells, "FILE", tmp_path / "cells.npz")
    written = stored_cells.stored()
    assert (written["lstm"]["inputs/x"] == other["lstm"]["inputs/x"]).all()
    assert stored_cells.differences("gru", written["gru"])["Recurrent: forward/outputs"] == 0


def test_a_changed_number_or_weight_is_reported():
    arrays = dict(STORED["gru"])
    arrays["forward/outputs"] = arrays["forward/outputs"] + 1e-3
    assert stored_cells.differences("gru", arrays)["Recurrent: forward/outputs"] > TOLERANCE
    del arrays[next(key for key in arrays if key.startswith("weights"))]
    assert list(stored_cells.differences("gru", arrays).values()) == [float("inf")]


# All cells are written in `keras.ops` alone, see test_structure.py.
@pytest.mark.slow
@pytest.mark.parametrize(
    "names",
    [
        pytest.param([name for name in CELLS if name in FIRST.values()], id="families"),
        pytest.param(list(CELLS), id="all", marks=BEFORE_RELEASES),
    ],
)
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_give_the_same_numbers(backend, names):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    script = pathlib.Path(stored_cells.__file__)
    path = os.pathsep.join([str(script.parents[2]), str(script.parent)])
    # Compiled quickly: each program runs once.
    quickly = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "true"}
    environment = {**os.environ, **quickly, "KERAS_BACKEND": backend, "PYTHONPATH": path}
    # Keras imports TensorFlow where it is installed: here it is as if it were not.
    program = (
        "import runpy, sys; sys.modules['tensorflow'] = None; sys.argv.insert(1, '--differences'); "
        f"runpy.run_path({str(script)!r}, run_name='__main__')"
    )
    command = [sys.executable, "-c", program, *names]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["backend"] == backend
    assert list(found["differences"]) == names
    wrong = {
        name: difference
        for name, difference in found["differences"].items()
        if not difference[1] <= TOLERANCE
    }
    assert wrong == {}
