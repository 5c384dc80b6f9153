"""Training: the contents of a run folder, reproducibility, precisions and replicas."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from task_data import names, settings, splits, template
from training_cases import CHOICES, RecordingProgress, assert_same, history

from seqzoo.tasks import Interrupted
from seqzoo.tasks.data.batches import Padding
from seqzoo.tasks.runs.run import Run
from seqzoo.tasks.runs.stored_config import shapes_digest
from seqzoo.tasks.training import epochs
from seqzoo.tasks.training.optimizer import LearningRate
from seqzoo.tasks.training.trainer import train

pytestmark = pytest.mark.usefixtures("plain_loop", "every_step")


def test_a_run_folder_is_complete(unbroken) -> None:
    folder, progress = unbroken
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
    assert (run.template, run.settings) == (template(**CHOICES), settings())
    assert [row["epoch"] for row in run.history] == [1, 2]
    assert run.history[1]["validation_accuracy"] > 0.8 and run.history[1]["accuracy"] > 0.8
    assert run.history == progress.rows
    # The last step of an epoch reports the means that are in the table.
    steps = sum(map(len, splits().train.inputs))
    assert progress.steps[5] == (6, run.history[0]["loss"], run.history[0]["accuracy"], steps)
    assert run.config["data"]["training_examples"] == 96
    assert run.config["weight_shapes"] == shapes_digest(run.model)


def test_the_best_model_is_kept(unbroken) -> None:
    run = Run.open(unbroken[0])
    best = max(run.history, key=lambda row: (row["validation_accuracy"], -row["validation_loss"]))
    metrics = run.evaluate(names(40, 2))
    assert metrics["accuracy"] == best["validation_accuracy"]
    assert metrics["loss"] == pytest.approx(best["validation_loss"], rel=1e-4)


def test_each_epoch_is_reshuffled() -> None:
    task = template().adapt(names(96, 1))
    data, strategy = task.data(names(96, 1)), tf.distribute.get_strategy()
    training = epochs.Epochs(task, settings(), Padding([9], []), data, None, strategy)
    first, again, second = (training.plan(epoch).rows for epoch in (0, 0, 1))
    assert (first == again).all() and (first != second).any()


def test_events_for_tensorboard(unbroken) -> None:
    (path,) = (unbroken[0] / "logs").iterdir()
    results = {}
    for record in tf.data.TFRecordDataset(str(path)):
        event = tf.compat.v1.Event.FromString(record.numpy())
        for value in event.summary.value:
            assert value.metadata.plugin_data.plugin_name == "scalars"
            results[event.step, value.tag] = tf.make_ndarray(value.tensor).item()
    rows = Run.open(unbroken[0]).history
    assert len(results) == 7 * len(rows)
    assert results[2, "validation_loss"] == pytest.approx(rows[1]["validation_loss"])


def test_the_same_seed_gives_the_same_numbers(unbroken, tmp_path) -> None:
    train(template(**CHOICES), splits(), settings(), tmp_path / "again")
    assert_same(unbroken[0], tmp_path / "again")
    train(template(**CHOICES), splits(), settings(seed=1, epochs=1), tmp_path / "other")
    assert history(tmp_path / "other")[0] != history(unbroken[0])[0]


DISTRIBUTED = """
import sys
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, 2 * [tf.config.LogicalDeviceConfiguration()])
import seqzoo.cells
from task_data import settings, splits, template
from seqzoo.tasks.training.trainer import train

for folder, precision in zip(sys.argv[1::2], sys.argv[2::2]):
    both = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with seqzoo.cells.portable():
        train(
            template(),
            splits(),
            settings(clip_norm=0.5, precision=precision),
            folder,
            strategy=None if folder.endswith("one") else both,
        )
"""


@pytest.mark.slow
@pytest.mark.exhaustive  # test_replicas.py compares a step of every kind
def test_two_replicas_train_like_one(tmp_path) -> None:
    folders = [tmp_path / name for name in ("one", "two", "two-half")]
    precisions = ["float32", "float32", "mixed_float16"]
    arguments = [str(word) for pair in zip(folders, precisions, strict=True) for word in pair]
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    paths = os.pathsep.join([root, os.path.join(root, "tests", "support")])
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
    # test_replicas.py compares the update of each weight in float64.
    assert half[-1]["loss"] < half[0]["loss"]
    Run.open(folders[1]).predict(["abc"])


def test_bfloat16_learns(tmp_path) -> None:
    run = train(template(), splits(), settings(precision="mixed_bfloat16"), tmp_path / "run")
    assert run.history[-1]["validation_accuracy"] > 0.6


@pytest.mark.exhaustive
@pytest.mark.slow
def test_patience_ends_training(tmp_path) -> None:
    # Without learning there is nothing better than the first epoch.
    chosen = settings(epochs=9, patience=2, learning_rate=1e-30, schedule="constant")
    with pytest.raises(Interrupted):  # in the third epoch, after one that was waited for
        train(template(), splits(), chosen, tmp_path / "run", progress=RecordingProgress(13))
    for _ in range(2):
        run = train(template(), splits(), chosen, tmp_path / "run", resume=True)
        assert len(run.history) == 3


def test_learning_rate() -> None:
    cosine = [float(LearningRate(0.1, 100, 10, True)(step)) for step in range(101)]
    np.testing.assert_allclose(cosine[:10], 0.1 * np.arange(1, 11) / 11, rtol=1e-5)
    assert cosine[10] == pytest.approx(0.1) and cosine[55] == pytest.approx(0.05)
    assert cosine[100] == pytest.approx(0, abs=1e-7) and np.all(np.diff(cosine[10:]) < 0)
    constant = [float(LearningRate(0.1, 100, 0, False)(step)) for step in (0, 50, 100)]
    assert constant == pytest.approx([0.1] * 3)


@pytest.mark.slow
def test_every_kind_of_target_trains(tmp_path) -> None:
    train_inputs, other = names(64, 1), names(20, 2)
    for kind, convert in {
        "labels": lambda labels: [[label, "all"] for label in labels],
        "value": lambda labels: [float(ord(label)) for label in labels],
    }.items():
        data = [replace(one, targets=convert(one.targets)) for one in (train_inputs, other)]
        chosen = replace(splits(), train=data[0], validation=data[1], test=None)
        run = train(template(target=kind), chosen, settings(epochs=6), tmp_path / kind)
        first, last = run.history[0], run.history[-1]
        assert last["validation_loss"] < 0.6 * first["validation_loss"]
        metrics = run.evaluate(data[1], folder=tmp_path / kind / "scores")
        losses = {row["validation_loss"]: row for row in run.history}
        nearest = min(losses, key=lambda loss: abs(loss - metrics["loss"]))
        assert nearest == pytest.approx(metrics["loss"], rel=1e-4)
        name = run.task.metric
        assert losses[nearest][f"validation_{name}"] == pytest.approx(metrics[name], rel=1e-4)
        assert json.loads((tmp_path / kind / "scores" / "evaluation.json").read_text()) == metrics
        run.predict(other.inputs[:3])
