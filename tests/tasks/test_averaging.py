"""Averages of weights, against averages of the weights recorded after each update."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from task_data import names, settings, splits, template
from training_cases import CHOICES, RecordingProgress, assert_same

from seqzoo.tasks import Interrupted, SeqzooError
from seqzoo.tasks.data.batches import Padding, make_plan
from seqzoo.tasks.runs.run import Run
from seqzoo.tasks.training.averaging import BestEpochs
from seqzoo.tasks.training.health import spectral_radii
from seqzoo.tasks.training.step import Loop
from seqzoo.tasks.training.trainer import train

pytestmark = pytest.mark.usefixtures("plain_loop", "every_step")


def test_the_moving_average_is_its_recursion() -> None:
    examples = names(40, 1)
    task = template().adapt(examples)
    data = task.data(examples)
    plan = make_plan(data, Padding([9], []), 8)
    keras.utils.set_random_seed(0)
    chosen = settings(batch_size=8, average="ema", decay=0.4, accumulate=2)
    loop = Loop(task, chosen, len(plan), tf.distribute.get_strategy())
    average = [item.numpy() for item in loop.model.weights]
    updates = 0
    for _ in range(2):
        for step, _ in enumerate(loop.train(data, plan), 1):
            if step % 2 and step < len(plan):
                continue  # gradients are held, and nothing moves
            updates += 1
            decay = min(0.4, (1 + updates) / (10 + updates))
            average = [
                decay * item + (1 - decay) * weight.numpy()
                for item, weight in zip(average, loop.model.weights, strict=True)
            ]
        loop.next_epoch()
    assert updates == 6 and (1 + updates) / (10 + updates) > 0.4
    raw = [item.numpy() for item in loop.model.weights]
    with loop.averaged():
        for weight, item in zip(loop.model.weights, average, strict=True):
            np.testing.assert_allclose(weight.numpy(), item, atol=1e-6)
    for weight, item in zip(loop.model.weights, raw, strict=True):
        np.testing.assert_array_equal(weight.numpy(), item)
    gaps = [np.abs(item - other).max() for item, other in zip(raw, average, strict=True)]
    assert max(gaps) > 1e-3


@pytest.mark.slow
def test_diagnostics_and_callbacks_see_the_moving_average(tmp_path) -> None:
    callback = keras.callbacks.ModelCheckpoint(str(tmp_path / "last.keras"))
    chosen = settings(epochs=1, average="ema", log_health=True)
    run = train(template(), splits(), chosen, tmp_path / "run", callbacks=[callback])
    radii = spectral_radii(run.model)
    assert radii and radii.items() <= run.history[0].items()
    saved = keras.saving.load_model(tmp_path / "last.keras", compile=False)
    kept = [weight.numpy() for weight in run.model.weights]
    for weight in saved.weights:
        assert any(np.array_equal(weight.numpy(), value) for value in kept), weight.path


@pytest.mark.slow
@pytest.mark.parametrize("average", ["ema", None])
def test_changes_of_the_moving_average_at_the_end_of_an_epoch_are_discarded(
    tmp_path, average
) -> None:
    starts = []

    def note(epoch, logs) -> None:
        starts.append(max(np.abs(item).max() for item in callback.model.get_weights()))

    def reset(epoch, logs) -> None:
        callback.model.set_weights([0 * item for item in callback.model.get_weights()])

    callback = keras.callbacks.LambdaCallback(on_epoch_begin=note, on_epoch_end=reset)
    chosen = settings(epochs=2, average=average)
    train(template(), splits(), chosen, tmp_path / "run", callbacks=[callback])
    assert starts[0] > 0 and (starts[1] > 0) == (average == "ema")


@pytest.mark.parametrize(
    "damage", [lambda path: path.write_bytes(b"PK"), lambda path: path.unlink()]
)
def test_damaged_weights_of_an_earlier_epoch_are_named(damage, tmp_path) -> None:
    best = BestEpochs(tmp_path / "averaged")
    variables = [tf.Variable([1.0, 3.0])]
    best.keep(1, variables, [1])
    damage(tmp_path / "averaged" / "epoch-1.npz")
    with pytest.raises(SeqzooError, match=r"epoch-1\.npz, the weights of epoch 1, cannot be read"):
        best.keep(2, variables, [1, 2])


@pytest.mark.slow
def test_the_mean_of_the_best_epochs_is_the_model(tmp_path) -> None:
    chosen = settings(epochs=4, average="best", average_best=2)
    progress = RecordingProgress()
    run = train(template(**CHOICES), splits(), chosen, tmp_path / "run", progress=progress)
    rows = run.history
    ranked = sorted(
        rows, key=lambda row: (row["validation_accuracy"], -row["validation_loss"], row["epoch"])
    )
    best = sorted(row["epoch"] for row in ranked[-2:])
    files = sorted((tmp_path / "run" / "averaged").iterdir())
    assert [path.name for path in files] == [f"epoch-{epoch}.npz" for epoch in best]
    stored = [np.load(path) for path in files]
    for at, weight in enumerate(run.model.weights):
        expected = np.mean([item[str(at)] for item in stored], 0)
        np.testing.assert_allclose(weight.numpy(), expected, atol=1e-6)
    metrics = run.evaluate(names(40, 2))
    assert metrics["loss"] == pytest.approx(rows[-1]["averaged_loss"], rel=1e-4)
    assert metrics["accuracy"] == pytest.approx(rows[-1]["averaged_accuracy"])
    # The weights of an epoch are its own: those of the last, here, as of a run without.
    plain = train(template(**CHOICES), splits(), settings(epochs=4), tmp_path / "plain")
    for mine, other in zip(rows, plain.history, strict=True):
        assert mine["validation_loss"] == other["validation_loss"]

    with pytest.raises(Interrupted):
        train(
            template(**CHOICES),
            splits(),
            chosen,
            tmp_path / "broken",
            progress=RecordingProgress(20),
        )
    train(template(**CHOICES), splits(), chosen, tmp_path / "broken", resume=True)
    assert_same(tmp_path / "run", tmp_path / "broken")
    resumed = Run.open(tmp_path / "broken").model.weights
    for mine, other in zip(run.model.weights, resumed, strict=True):
        np.testing.assert_array_equal(mine.numpy(), other.numpy())
