"""Keras' callbacks in a training run: hooks, logs, the learning rate, stopping, and exact
resume."""

import csv
import json
import sys
from types import SimpleNamespace
from typing import Any

import keras
import pytest
import tensorflow as tf
from task_data import settings, splits, template
from training_cases import RecordingProgress, assert_same, weights

from seqzoo.tasks import Interrupted, SeqzooError, train
from seqzoo.tasks.training.callbacks import _restore, _state_of, choose_mode

pytestmark = pytest.mark.usefixtures("plain_loop", "every_step")

PLAIN = {"schedule": "constant", "epochs": 3}


class Noting(keras.callbacks.Callback):
    """Notes each hook with its logs."""

    def __init__(self):
        super().__init__()
        self.heard = []

    def __getattribute__(self, name):
        result = super().__getattribute__(name)
        if not name.startswith("on_"):
            return result

        def noting(*arguments, logs=None):
            self.heard.append((name, arguments))

        return noting


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    """A training run with the callbacks that people use, and its folder; it is stopped in the
    middle of the second of three epochs."""
    folder = tmp_path_factory.mktemp("callbacks")
    rates, batches = [], []

    def after_batch(batch, logs):
        batches.append((batch, logs))
        callbacks[-1].model.stop_training = len(batches) == 9

    noting = Noting()
    callbacks = [
        noting,
        keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2),
        keras.callbacks.CSVLogger(str(folder / "log.csv")),
        keras.callbacks.ModelCheckpoint(str(folder / "best.keras"), "val_accuracy"),
        keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: rates.append(
                float(callbacks[-1].model.optimizer.learning_rate)
            ),
            on_train_batch_end=after_batch,
        ),
    ]
    run = train(template(), splits(), settings(**PLAIN), folder / "run", callbacks=callbacks)
    return folder, run, noting.heard, rates, batches


def test_a_checkpoint_every_few_steps_goes_on_where_it_stopped(tmp_path) -> None:
    path = str(tmp_path / "step.weights.h5")
    one, other = (
        keras.callbacks.ModelCheckpoint(path, save_weights_only=True, save_freq=7) for _ in "ab"
    )
    before = [step for step in range(12) if one._should_save_on_batch(step)]
    _restore(other, json.loads(json.dumps(_state_of(one))))
    after = [step for step in range(12, 20) if other._should_save_on_batch(step)]
    assert (before, after) == ([6], [13])


@pytest.mark.slow
def test_hooks_are_called_in_the_order_of_keras(followed) -> None:
    _, run, heard, _, batches = followed
    names = [name for name, _ in heard]
    step = ["on_train_batch_begin", "on_train_batch_end"]
    scored = ["on_test_begin", *["on_test_batch_begin", "on_test_batch_end"] * 3, "on_test_end"]
    end = [*scored, "on_epoch_end"]
    first, second = ["on_epoch_begin", *step * 6, *end], ["on_epoch_begin", *step * 3, *end]
    assert names == ["on_train_begin", *first, *second, "on_train_end"]
    assert [item for item, _ in batches] == [*range(6), *range(3)]
    # The mean over an epoch at its last step is that of its row.
    assert batches[5][1] == {"loss": run.history[0]["loss"], "accuracy": run.history[0]["accuracy"]}


@pytest.mark.slow
def test_logs_have_the_names_of_keras(followed) -> None:
    folder, run, _, _, _ = followed
    with open(folder / "log.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2
    for row, item in zip(rows, run.history, strict=True):
        assert float(row["val_loss"]) == item["validation_loss"]
        assert float(row["accuracy"]) == item["accuracy"]
        assert float(row["val_accuracy"]) == item["validation_accuracy"]


def test_the_scheduled_rate_is_the_one_of_the_steps(followed) -> None:
    _, run, _, rates, _ = followed
    assert rates == pytest.approx([0.01, 0.005])
    assert [row["learning_rate"] for row in run.history] == pytest.approx(rates)


def test_checkpoints_are_those_of_keras(followed) -> None:
    folder, run, _, _, _ = followed
    # The last epoch's weights, which the last checkpoint has.
    saved = keras.saving.load_model(folder / "best.keras", compile=False)
    trained = weights(folder / "run")
    assert len(saved.weights) > 4
    for weight in saved.weights:
        same = [value for value in trained.values() if value.shape == weight.shape]
        assert any((weight.numpy() == value).all() for value in same), weight.path
    # The run's own file has no optimizer.
    size = (folder / "run" / "model.keras").stat().st_size
    assert size < 0.75 * (folder / "best.keras").stat().st_size


@pytest.mark.slow
def test_tensorboard(tmp_path) -> None:
    pytest.importorskip("tensorboard")
    callback = keras.callbacks.TensorBoard(
        tmp_path / "logs", update_freq=1, write_steps_per_second=True
    )
    train(template(), splits(), settings(epochs=1), tmp_path / "run", callbacks=[callback])
    tags = set()
    for path in (tmp_path / "logs").rglob("events*"):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            tags |= {value.tag for value in event.summary.value}
    assert {"epoch_loss", "epoch_accuracy", "batch_loss", "evaluation_loss_vs_iterations"} <= tags


@pytest.mark.slow
def test_early_stopping_and_the_plateau_know_which_way_a_metric_improves(tmp_path) -> None:
    def callbacks() -> list:
        # No accuracy rises by 2, so both act after the second epoch.
        return [
            keras.callbacks.ReduceLROnPlateau("val_accuracy", 0.5, patience=1, min_delta=2.0),
            keras.callbacks.EarlyStopping("val_accuracy", min_delta=2.0, patience=1),
        ]

    chosen, listed = settings(**{**PLAIN, "epochs": 9}), callbacks()
    run = train(template(), splits(), chosen, tmp_path / "run", callbacks=listed)
    assert [row["learning_rate"] for row in run.history] == pytest.approx([0.02, 0.02])
    assert float(listed[0].model.optimizer.learning_rate) == pytest.approx(0.01)
    assert listed[0].monitor_op is listed[1].monitor_op is keras.ops.greater
    # It stays stopped.
    train(template(), splits(), chosen, tmp_path / "run", callbacks=callbacks(), resume=True)
    assert len(run.history) == 2


@pytest.mark.parametrize("monitor", ["val_bleu", "val_chrf", "val_exact_match"])
def test_scores_of_generated_texts_are_better_when_they_are_larger(monitor: str) -> None:
    callback = keras.callbacks.EarlyStopping(monitor)
    task: Any = SimpleNamespace(metric="exact_match", better=1)
    choose_mode(callback, task)
    assert callback.mode == "max"


class Decaying(keras.callbacks.Callback):
    """Lowers the learning rate at each step, by a number that it counts itself."""

    def __init__(self):
        super().__init__()
        self.seen = 0

    def on_train_batch_end(self, batch, logs=None):
        self.seen += 1
        self.model.optimizer.learning_rate = 0.02 / (1 + self.seen)

    def state_dict(self):
        return {"seen": self.seen}

    def load_state_dict(self, state):
        self.seen = state["seen"]


def _all() -> list:
    return [
        keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.7),
        keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.5, patience=1, min_delta=9.0),
        keras.callbacks.EarlyStopping("val_loss", patience=8),
        Decaying(),
    ]


@pytest.mark.slow
def test_resumed_in_the_middle_of_an_epoch_with_the_same_numbers(tmp_path) -> None:
    chosen = settings(schedule="constant")
    train(template(), splits(), chosen, tmp_path / "whole", callbacks=_all())
    with pytest.raises(Interrupted):
        progress = RecordingProgress(stop_at=8)  # the second step of the second epoch
        train(template(), splits(), chosen, tmp_path / "run", progress=progress, callbacks=_all())
    train(template(), splits(), chosen, tmp_path / "run", callbacks=_all(), resume=True)
    assert_same(tmp_path / "whole", tmp_path / "run")
    with pytest.raises(SeqzooError, match=r"started with callbacks=\['Learn.*, got \[\]; resume"):
        train(template(), splits(), chosen, tmp_path / "run", resume=True)


@pytest.mark.parametrize(
    ("callback", "message"),
    [
        (
            "early",
            r"`callbacks` must be a `keras.callbacks.Callback` or a list of them, got 'early'",
        ),
        (keras.callbacks.BackupAndRestore("backup"), "BackupAndRestore keeps .*resume=True"),
        (keras.callbacks.SwapEMAWeights(), "SwapEMAWeights swaps"),
        (keras.callbacks.TensorBoard(), "TensorBoard needs .*pip install tensorboard"),
        (
            keras.callbacks.ReduceLROnPlateau(),
            "ReduceLROnPlateau sets the learning rate.*schedule='constant' and warmup_steps=0",
        ),
    ],
    ids=["no-callback", "backup", "ema", "tensorboard", "rate"],
)
def test_unsupported_options_fail_before_anything_is_written(
    monkeypatch, tmp_path, callback, message
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(SeqzooError, match=message):
        train(template(), splits(), settings(), tmp_path / "run", callbacks=[callback])
    assert not (tmp_path / "run").exists()
