"""Importing and using the library prints none of TensorFlow's start-up messages, and XLA compiles
quickly."""

import contextlib
import csv
import gc
import logging
import os
import pathlib
import subprocess
import sys
import threading
from types import SimpleNamespace

import keras
import pytest
from cli_cases import ROOT

from seqzoo.tasks import SeqzooError, startup
from seqzoo.tasks.errors import called
from seqzoo.tasks.export import litert_model
from seqzoo.tasks.startup import set_optimization_level, start_tensorflow

PROGRAM = """
import logging, sys
import numpy as np
from seqzoo import zoo
zoo.load("date-normaliser").predict(["3 March 2021"])
from seqzoo.tasks import Examples, ManyToOne, Splits, TrainingSettings, train
run = train(
    ManyToOne(input="series", units=4),
    Splits(train=Examples([np.ones((3, 1)), np.zeros((2, 1))] * 4, ["a", "b"] * 4)),
    TrainingSettings(epochs=1),
    sys.argv[1],
)
run.predict([np.ones((3, 1))])
from seqzoo.tasks import Run
Run.open(sys.argv[1])
import tensorflow as tf
print(tf.get_logger().level <= logging.WARNING)
"""


@pytest.mark.parametrize("command_line", [True, False])
def test_a_command_collects_no_garbage_during_the_import(command_line: bool, monkeypatch) -> None:
    monkeypatch.setattr(startup, "is_command_line", lambda: command_line)
    before = gc.get_freeze_count()
    try:
        with startup._without_collections():
            assert gc.isenabled() == (not command_line)
        assert gc.isenabled() and (gc.get_freeze_count() > before) == command_line
    finally:
        gc.unfreeze()


def test_another_backend_is_refused_in_one_line(monkeypatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    message = "^Templates need Keras' backend 'tensorflow', but Keras was imported with 'jax'; set "
    with pytest.raises(SeqzooError, match=message):
        start_tensorflow()


def test_errors_are_filtered_where_standard_error_was_closed(monkeypatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    with startup._filtered_errors():
        os.write(2, b"oneDNN custom operations are on")


@pytest.mark.parametrize("redirected", [startup._filtered_errors, litert_model._quiet])
def test_standard_error_stays_the_same_file_when_threads_redirect_it(redirected) -> None:
    before = os.fstat(2)
    first_inside, second_inside = threading.Event(), threading.Event()

    def redirect_first() -> None:
        with redirected():
            first_inside.set()
            second_inside.wait(0.1)

    def redirect_second() -> None:
        first_inside.wait()
        with redirected():
            second_inside.set()
            first.join()

    first, second = (threading.Thread(target=run) for run in (redirect_first, redirect_second))
    first.start()
    second.start()
    first.join()
    second.join()
    assert os.path.samestat(before, os.fstat(2))


@pytest.mark.parametrize("command_line", [True, False])
def test_only_a_command_turns_off_warnings(command_line: bool, monkeypatch) -> None:
    logger, absl = logging.Logger("tensorflow"), logging.Logger("absl")
    modules = {
        "tensorflow": SimpleNamespace(
            get_logger=lambda: logger, config=SimpleNamespace(list_physical_devices=list)
        ),
        "keras": None,
        "absl.logging": SimpleNamespace(set_verbosity=absl.setLevel, ERROR=logging.ERROR),
    }
    monkeypatch.setattr(startup, "importlib", SimpleNamespace(import_module=modules.get))
    monkeypatch.delitem(sys.modules, "tensorflow")
    with called("seqzoo") if command_line else contextlib.nullcontext():
        start_tensorflow()
    gc.unfreeze()
    level = logging.ERROR if command_line else logging.NOTSET
    assert (logger.level, absl.level) == (level, level)


@pytest.mark.slow
def test_training_from_python_starts_as_quietly_as_the_command_line(tmp_path) -> None:
    environment = {name: value for name, value in os.environ.items() if "TF_" not in name}
    environment["PYTHONPATH"] = str(ROOT)
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "run")]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    # Loggers are those of the program that imports the library.
    assert result.stdout == "True\n"


LEVEL = "--xla_backend_optimization_level"


@pytest.mark.parametrize(
    "before, after",
    [
        ("", f"{LEVEL}=1"),
        ("--xla_cpu_enable_fast_math=false", f"--xla_cpu_enable_fast_math=false {LEVEL}=1"),
        (f"{LEVEL}=2", f"{LEVEL}=2"),
        ("options.txt", "options.txt"),
    ],
)
def test_a_level_of_optimisation_is_added_to_the_users_options(before, after, monkeypatch) -> None:
    monkeypatch.setenv("XLA_FLAGS", before)
    set_optimization_level()
    assert os.environ["XLA_FLAGS"] == after


@pytest.mark.slow
def test_programs_compute_the_same_at_the_highest_level(tmp_path) -> None:
    histories = []
    for folder, flags in (("ours", ""), ("highest", f"{LEVEL}=3")):
        environment = os.environ | {"PYTHONPATH": str(ROOT), "XLA_FLAGS": flags}
        command = [sys.executable, "-c", PROGRAM, str(tmp_path / folder)]
        subprocess.run(command, env=environment, check=True, capture_output=True)
        histories.append(_history(tmp_path / folder))
    assert histories[0] == histories[1]


def _history(run: pathlib.Path) -> list[dict[str, str]]:
    """The rows of a run's history without the seconds."""
    with (run / "history.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]
