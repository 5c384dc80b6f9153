"""Training that cannot be: errors that say why and leave nothing half-written."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from task_data import settings, splits, task
from training_cases import CHOICES, weights

from seqzoo.tasks import Examples, SeqzooError
from seqzoo.tasks.run import Run
from seqzoo.tasks.training import train

pytestmark = pytest.mark.usefixtures("plain_loop", "every_step")


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
        ({"learning_rate": 0.0}, "`learning_rate` must be above 0 and finite, got 0.0"),
        ({"clip_norm": float("inf")}, "`clip_norm` must be above 0 and finite, got inf"),
        ({"weight_decay": float("nan")}, "`weight_decay` must be at least 0 and finite, got nan"),
        ({"seed": 2**32}, "`seed` must be at most 4294967295, got 4294967296"),
        ({"schedule": "step"}, "`schedule` must be one of 'cosine', 'constant', got 'step'"),
        ({"precision": "half"}, "`precision` must be one of"),
    ):
        with pytest.raises(SeqzooError, match=message):
            settings(**choices)
