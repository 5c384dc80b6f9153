"""A run folder from anywhere: opening it runs none of its code and writes nowhere else."""

import json
import os
import pathlib
import zipfile
from typing import Any

import keras
import numpy as np
import pytest
from task_data import names, settings, template

from seqzoo.tasks import SeqzooError
from seqzoo.tasks.data.batches import Padding
from seqzoo.tasks.runs.run import Run
from seqzoo.tasks.training.trainer import describe


@pytest.fixture
def run(tmp_path: pathlib.Path) -> Run:
    """A run folder with an untrained model, in a folder of its own."""
    chosen = template(units=3)
    task = chosen.adapt(names(12, 0))
    folder = tmp_path / "runs" / "run"
    made = Run.create(folder, describe(chosen, task, settings(), {}, Padding([9], [])), task)
    task.build("float32").save(folder / "model.keras")
    return made


class Payload:
    """What leaves a trace where it is unpickled."""

    def __init__(self, trace: pathlib.Path):
        self.trace = trace

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.trace),)


def test_pickled_weights_are_refused_unread(run: Run, tmp_path: pathlib.Path) -> None:
    trace = tmp_path / "trace"
    array = np.array([Payload(trace)], object)
    arrays: dict[str, Any] = {"embedding/embeddings.values": array}
    np.savez(run.folder / "weights.npz", **arrays)
    with pytest.raises(SeqzooError, match="weights.npz cannot be read: Object arrays"):
        _ = Run.open(run.folder).model
    assert not trace.exists()


@pytest.mark.parametrize("kind", ["Lambda", "function"])
def test_code_in_a_model_is_refused_unrun(kind: str, run: Run, tmp_path: pathlib.Path) -> None:
    trace = tmp_path / "trace"
    path = run.folder / "model.keras"
    if kind == "Lambda":
        inputs = keras.Input((2,))

        def leave_trace(x: Any, folder: str = str(trace)) -> Any:
            import os

            os.mkdir(folder)
            return x

        layer = keras.layers.Lambda(leave_trace, output_shape=(2,))
        with zipfile.ZipFile(path) as file:
            parts = {name: file.read(name) for name in file.namelist()}
        layer_config = keras.saving.serialize_keras_object(layer)
        sequential = keras.Sequential([inputs, keras.layers.Dense(1)])
        config = keras.saving.serialize_keras_object(sequential)
        config["config"]["layers"].append(layer_config)
    else:
        with zipfile.ZipFile(path) as file:
            parts = {name: file.read(name) for name in file.namelist()}
        config = {
            "module": "os",
            "class_name": "mkdir",
            "config": {"path": str(trace)},
            "registered_name": None,
        }
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as file:
        for name, content in parts.items():
            file.writestr(name, content)
    with pytest.raises(SeqzooError, match="model.keras cannot be read"):
        _ = Run.open(run.folder).model
    assert not trace.exists()


@pytest.mark.filterwarnings("ignore:Skipping invalid path:UserWarning")
def test_an_archive_writes_nothing_outside(run: Run, tmp_path: pathlib.Path) -> None:
    before = {own for own in tmp_path.rglob("*")}
    with zipfile.ZipFile(run.folder / "model.keras", "a") as file:
        for name in ("../outside", "../../outside", f"{tmp_path}/absolute", "assets/../../outside"):
            file.writestr(name, "escaped")
    opened = Run.open(run.folder)
    assert len(opened.predict(["abc"])) == 1
    assert {own for own in tmp_path.rglob("*")} == before
