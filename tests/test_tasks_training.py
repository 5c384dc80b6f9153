"""Training: run folders, exact resumption, stopping, and errors that leave nothing half-written."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from task_data import names, settings, splits, task

import seqzoo.cells
from seqzoo.tasks import Examples, Interrupted, SeqzooError, epochs
from seqzoo.tasks.plans import Padding
from seqzoo.tasks.progress import Silent
from seqzoo.tasks.run import Run
from seqzoo.tasks.schedules import LearningRate
from seqzoo.tasks.training import train

CHOICES = {"dropout": 0.1, "recurrent_dropout": 0.1}


@pytest.fixture(autouse=True)
def plain_loop():
    """Traces the plain loop, which costs no compilation."""
    with seqzoo.cells.portable():
        yield


@pytest.fixture(autouse=True)
def every_step(monkeypatch):
    monkeypatch.setattr(epochs, "TELL_SECONDS", 0.0)


class Told(Silent):
    """Notes what training tells, and may interrupt it."""

    def __init__(self, stop_at: int | None = None):
        self.steps, self.rows, self.stop_at = [], [], stop_at

    def step(self, done, loss, metric, examples):
        self.steps.append((done, loss, metric, examples))
        if len(self.steps) == self.stop_at:
            raise KeyboardInterrupt

    def row(self, row):
        self.rows.append(row)


def weights(folder) -> dict[str, np.ndarray]:
    """All of the last checkpoint: weights, optimizer, seeds and counters."""
    reader = tf.train.load_checkpoint(str(folder / "checkpoints"))
    parts = ("model/", "optimizer/", "loop/")
    keys = [key for key in reader.get_variable_to_shape_map() if key.startswith(parts)]
    assert len(keys) > 10
    return {key: reader.get_tensor(key) for key in keys}


def history(folder) -> list[dict]:
    return [{**row, "seconds": None} for row in Run.open(folder).history]


def assert_same(one, other) -> None:
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    for key in first:
        np.testing.assert_array_equal(first[key], second[key], err_msg=key)
    assert history(one) == history(other)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """A run of two epochs, never interrupted, and what it told."""
    folder, told = tmp_path_factory.mktemp("runs") / "unbroken", Told()
    with pytest.MonkeyPatch.context() as patch, seqzoo.cells.portable():
        patch.setattr(epochs, "TELL_SECONDS", 0.0)
        train(task(**CHOICES), splits(), settings(), folder, progress=told)
    return folder, told


def test_a_run_folder_holds_what_it_must(unbroken) -> None:
    folder, told = unbroken
    assert {path.name for path in folder.iterdir()} == {
        "config.json",
        "vocabulary.jsonl",
        "model.keras",
        "history.csv",
        "checkpoints",
        "logs",
        "loss.png",
        "accuracy.png",
    }
    run = Run.open(folder)
    assert (run.task, run.settings) == (task(**CHOICES), settings())
    assert [row["epoch"] for row in run.history] == [1, 2]
    assert run.history[1]["validation_accuracy"] > 0.8 and run.history[1]["accuracy"] > 0.8
    assert run.history == told.rows
    # The last step of an epoch tells the means that the table holds.
    assert told.steps[5] == (6, run.history[0]["loss"], run.history[0]["accuracy"], 96)
    assert run.config["data"]["training_examples"] == 96


def test_the_best_model_is_the_one_that_is_kept(unbroken) -> None:
    run = Run.open(unbroken[0])
    best = max(run.history, key=lambda row: (row["validation_accuracy"], -row["validation_loss"]))
    figures = run.evaluate(names(40, 2))
    assert figures["accuracy"] == best["validation_accuracy"]
    assert figures["loss"] == pytest.approx(best["validation_loss"], rel=1e-4)


def test_each_epoch_is_shuffled_anew() -> None:
    prepared = task().adapt(names(96, 1))
    training = epochs.Epochs(
        prepared,
        settings(),
        Padding([9], []),
        prepared.data(names(96, 1)),
        None,
        tf.distribute.get_strategy(),
    )
    first, again, second = (training.plan(epoch).rows for epoch in (0, 0, 1))
    assert (first == again).all() and (first != second).any()


def test_events_for_tensorboard(unbroken) -> None:
    (path,) = (unbroken[0] / "logs").iterdir()
    found = {}
    for record in tf.data.TFRecordDataset(str(path)):
        event = tf.compat.v1.Event.FromString(record.numpy())
        for value in event.summary.value:
            assert value.metadata.plugin_data.plugin_name == "scalars"
            found[event.step, value.tag] = tf.make_ndarray(value.tensor).item()
    rows = Run.open(unbroken[0]).history
    assert len(found) == 6 * len(rows)
    assert found[2, "validation_loss"] == pytest.approx(rows[1]["validation_loss"])


def test_the_same_seed_gives_the_same_numbers(unbroken, tmp_path) -> None:
    train(task(**CHOICES), splits(), settings(), tmp_path / "again")
    assert_same(unbroken[0], tmp_path / "again")
    train(task(**CHOICES), splits(), settings(seed=1, epochs=1), tmp_path / "other")
    assert history(tmp_path / "other")[0] != history(unbroken[0])[0]


@pytest.mark.parametrize("stops", [(6,), (2, 5)])
def test_resumed_after_ctrl_c_with_the_same_numbers(unbroken, tmp_path, stops: tuple) -> None:
    folder = tmp_path / "run"
    for index, stop in enumerate(stops):
        with pytest.raises(Interrupted, match=f"--resume --run {folder}"):
            train(
                task(**CHOICES),
                splits(),
                settings(),
                folder,
                progress=Told(stop),
                resume=index > 0,
            )
    train(task(**CHOICES), splits(), settings(), folder, resume=True)
    assert_same(unbroken[0], folder)


def test_a_signal_is_heard_between_steps(tmp_path) -> None:
    class Interrupting(Told):
        def step(self, done, loss, metric, examples):
            super().step(done, loss, metric, examples)
            if len(self.steps) == 2:
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted, match="Stopped at step [23] of epoch 1, after a checkpoint"):
        train(task(), splits(), settings(), tmp_path / "run", progress=Interrupting())
    with pytest.raises(SeqzooError, match="no model yet.*--resume"):
        Run.open(tmp_path / "run").predict(["abc"])


def test_a_finished_run_resumed_stays_as_it_is(unbroken) -> None:
    before, rows = weights(unbroken[0]), history(unbroken[0])
    train(
        task(**CHOICES), splits(), settings(), unbroken[0], resume=True, progress=(told := Told())
    )
    assert not told.steps and history(unbroken[0]) == rows
    assert all((before[key] == value).all() for key, value in weights(unbroken[0]).items())


PROGRAM = """
import sys
from dataclasses import replace
from task_data import settings, splits, task
from seqzoo.tasks import epochs
from seqzoo.tasks.plans import Padding
from seqzoo.tasks.progress import Silent
from seqzoo.tasks.training import train

epochs.TELL_SECONDS = 0.0
folder, resume = sys.argv[1], sys.argv[2] == "resume"

class Telling(Silent):
    def epoch(self, epoch, done):
        self.begun = epoch
    def step(self, done, *rest):
        print(self.begun, done, flush=True)

train(
    task(dropout=0.1, recurrent_dropout=0.1),
    replace(splits(train=480), validation=None),
    settings(batch_size=8, checkpoint_seconds=0.05),
    folder,
    resume=resume,
    progress=Telling(),
)
"""


def _start(*arguments: str) -> subprocess.Popen:
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    paths = os.pathsep.join([root, os.path.join(root, "tests")])
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _lines(process: subprocess.Popen):
    assert process.stdout is not None
    for line in process.stdout:
        yield tuple(map(int, line.split()))


def test_resumed_after_sigkill_with_the_same_numbers(tmp_path) -> None:
    # On the fast path, in processes of their own.
    with _start(str(tmp_path / "whole"), "begin") as process:
        told = list(_lines(process))
    assert process.returncode == 0 and len(told) == 120
    with _start(str(tmp_path / "killed"), "begin") as process:
        for told in _lines(process):
            if told == (2, 37):
                process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    with _start(str(tmp_path / "killed"), "resume") as process:
        rest = list(_lines(process))
    assert process.returncode == 0
    # It went on in mid-epoch, from a checkpoint and not from the beginning.
    assert rest[0][0] == 2 and 1 < rest[0][1] <= 38 and rest[-1] == (2, 60)
    assert_same(tmp_path / "whole", tmp_path / "killed")
    assert not list((tmp_path / "killed" / "checkpoints").glob("*temp*"))


DISTRIBUTED = """
import sys
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, 2 * [tf.config.LogicalDeviceConfiguration()])
import seqzoo.cells
from task_data import settings, splits, task
from seqzoo.tasks.training import train

for folder, precision in zip(sys.argv[1::2], sys.argv[2::2]):
    both = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with seqzoo.cells.portable():
        train(
            task(),
            splits(),
            settings(clip_norm=0.5, precision=precision),
            folder,
            strategy=None if folder.endswith("one") else both,
        )
"""


def test_two_replicas_train_like_one(tmp_path) -> None:
    folders = [tmp_path / name for name in ("one", "two", "two-half")]
    precisions = ["float32", "float32", "mixed_float16"]
    arguments = [str(word) for pair in zip(folders, precisions, strict=True) for word in pair]
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    paths = os.pathsep.join([root, os.path.join(root, "tests")])
    subprocess.run(
        [sys.executable, "-c", DISTRIBUTED, *arguments],
        env={**os.environ, "PYTHONPATH": paths},
        check=True,
        capture_output=True,
    )
    one, two, half = (Run.open(folder).history for folder in folders)
    for mine, other in zip(one, two, strict=True):
        for key in ("loss", "accuracy", "validation_loss"):
            assert mine[key] == pytest.approx(other[key], rel=1e-3), key
    # Adam hides the scale of gradients; its moments show it.
    moments = [weights(folder) for folder in folders[:2]]
    for key, value in moments[0].items():
        np.testing.assert_allclose(moments[1][key], value, rtol=0.05, atol=1e-4, err_msg=key)
    assert half[-1]["loss"] < half[0]["loss"]
    Run.open(folders[1]).predict(["abc"])


def test_bfloat16_learns(tmp_path) -> None:
    run = train(task(), splits(), settings(precision="mixed_bfloat16"), tmp_path / "run")
    assert run.history[-1]["validation_accuracy"] > 0.6


def test_float16_learns_and_resumes(tmp_path) -> None:
    chosen = settings(precision="mixed_float16")
    train(task(**CHOICES), splits(), chosen, tmp_path / "whole")
    with pytest.raises(Interrupted):
        train(task(**CHOICES), splits(), chosen, tmp_path / "broken", progress=Told(8))
    train(task(**CHOICES), splits(), chosen, tmp_path / "broken", resume=True)
    assert_same(tmp_path / "whole", tmp_path / "broken")
    assert history(tmp_path / "whole")[-1]["validation_accuracy"] > 0.8


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_checkpoint(tmp_path) -> None:
    # A learning rate beyond float32 spoils the weights at once: step 1 is good, step 2 is not.
    folder = tmp_path / "run"
    data = Examples([np.full((3, 1), value) for value in (1.0, 2.0)] * 8, ["a", "b"] * 8)
    with pytest.raises(
        SeqzooError, match=r"no longer a finite number at step 2 \(epoch 2\)"
    ) as error:
        train(
            task(input="series"),
            replace(splits(), train=data, validation=None),
            settings(learning_rate=1e38, schedule="constant", epochs=5),
            folder,
        )
    assert "checkpoint of step 1 is kept" in str(error.value)
    assert all(np.isfinite(value).all() for value in weights(folder).values())
    assert len(Run.open(folder).history) == 1
    assert Run.open(folder).model is not None


def test_patience_ends_training(tmp_path) -> None:
    # Without learning there is nothing better than the first epoch.
    chosen = settings(epochs=9, patience=2, learning_rate=1e-30, schedule="constant")
    run = train(task(), splits(), chosen, tmp_path / "run")
    assert len(run.history) == 3
    train(task(), splits(), chosen, tmp_path / "run", resume=True)
    assert len(run.history) == 3


def test_learning_rate() -> None:
    cosine = [float(LearningRate(0.1, 100, 10, True)(step)) for step in range(101)]
    np.testing.assert_allclose(cosine[:10], 0.1 * np.arange(1, 11) / 11, rtol=1e-5)
    assert cosine[10] == pytest.approx(0.1) and cosine[55] == pytest.approx(0.05)
    assert cosine[100] == pytest.approx(0, abs=1e-7) and np.all(np.diff(cosine[10:]) < 0)
    constant = [float(LearningRate(0.1, 100, 0, False)(step)) for step in (0, 50, 100)]
    assert constant == pytest.approx([0.1] * 3)


def test_every_kind_of_target_trains(tmp_path) -> None:
    train_inputs, other = names(64, 1), names(20, 2)
    for kind, convert in {
        "labels": lambda labels: [[label, "all"] for label in labels],
        "value": lambda labels: [float(ord(label)) for label in labels],
    }.items():
        data = [replace(one, targets=convert(one.targets)) for one in (train_inputs, other)]
        chosen = replace(splits(), train=data[0], validation=data[1])
        run = train(task(target=kind), chosen, settings(epochs=6), tmp_path / kind)
        first, last = run.history[0], run.history[-1]
        assert last["validation_loss"] < 0.6 * first["validation_loss"]
        figures = run.evaluate(data[1], folder=tmp_path / kind / "scores")
        losses = {row["validation_loss"]: row for row in run.history}
        nearest = min(losses, key=lambda loss: abs(loss - figures["loss"]))
        assert nearest == pytest.approx(figures["loss"], rel=1e-4)
        name = run.prepared.metric
        assert losses[nearest][f"validation_{name}"] == pytest.approx(figures[name], rel=1e-4)
        assert json.loads((tmp_path / kind / "scores" / "evaluation.json").read_text()) == figures
        run.predict(other.inputs[:3])


@pytest.mark.parametrize(
    "choices, data, message",
    [
        ({"cell": "lstn"}, splits(), "no cell named 'lstn'.*'lstm'"),
        ({}, replace(splits(), train=Examples([], [])), "there are none"),
        (
            {},
            replace(splits(), validation=Examples(["ab"], ["Z"], lines=[7])),
            "In the validation examples: line 7 has the label 'Z'",
        ),
        (
            {},
            replace(splits(), validation=Examples(["ab", ""], ["A", "A"])),
            "In the validation examples: .*example 1 has none",
        ),
        (
            {},
            replace(splits(), train=Examples(["ab", "", "b"], ["A", "A", "B"])),
            "In the training examples: .*example 1 has none",
        ),
    ],
)
def test_bad_input_leaves_no_folder(tmp_path, choices: dict, data, message: str) -> None:
    with pytest.raises(SeqzooError, match=message):
        train(task(**choices), data, settings(), tmp_path / "run")
    assert not list(tmp_path.iterdir())


def test_run_folders_are_not_overwritten_or_mixed_up(unbroken, tmp_path) -> None:
    folder = unbroken[0]
    with pytest.raises(SeqzooError, match="exists already.*--resume"):
        train(task(**CHOICES), splits(), settings(), folder)
    for changed, message in (
        ({"task": task(units=9, **CHOICES)}, "units=8, got 9"),
        ({"settings": settings(epochs=3)}, "epochs=2, got 3"),
        ({"splits": splits(train=95)}, "The data differ"),
    ):
        arguments = {"task": task(**CHOICES), "splits": splits(), "settings": settings()}
        with pytest.raises(SeqzooError, match=message):
            train(**{**arguments, **changed}, folder=folder, resume=True)
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(SeqzooError, match="is not a run folder"):
            train(task(), splits(), settings(), path, resume=True)
    with pytest.raises(SeqzooError, match="multiple of the 2 replicas"):
        train(
            task(),
            splits(),
            settings(batch_size=15),
            tmp_path / "odd",
            strategy=SimpleNamespace(num_replicas_in_sync=2),
        )


def test_damaged_runs_are_told(unbroken, tmp_path) -> None:
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(SeqzooError, match="config.json is damaged"):
        Run.open(tmp_path)
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(SeqzooError, match="not a run folder"):
        Run.open(tmp_path)
    config = json.loads((unbroken[0] / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "format": 99}))
    with pytest.raises(SeqzooError, match="newer seqzoo"):
        Run.open(tmp_path)


def test_settings_are_checked() -> None:
    for choices, message in (
        ({"epochs": 0}, "`epochs` must be at least 1, got 0"),
        ({"learning_rate": 0.0}, "`learning_rate` must be above 0, got 0.0"),
        ({"schedule": "step"}, "`schedule` must be one of 'cosine', 'constant', got 'step'"),
        ({"precision": "half"}, "`precision` must be one of"),
    ):
        with pytest.raises(SeqzooError, match=message):
            settings(**choices)
