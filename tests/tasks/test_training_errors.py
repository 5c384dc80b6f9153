"""Training that fails: errors say why and leave nothing half-written."""

import json
import pathlib
import shutil
from dataclasses import replace
from unittest.mock import Mock

import numpy as np
import pytest
import tensorflow as tf
from task_data import settings, splits, template
from training_cases import CHOICES, weights

from seqzoo.tasks import Examples, SeqzooError
from seqzoo.tasks.runs.run import Run
from seqzoo.tasks.training.history import read_history
from seqzoo.tasks.training.progress import Silent
from seqzoo.tasks.training.trainer import train

pytestmark = pytest.mark.usefixtures("plain_loop", "every_step")


def test_a_nan_loss_stops_training_and_keeps_the_last_good_checkpoint(tmp_path) -> None:
    # A learning rate beyond float32 spoils the weights at once: step 1 is good, step 2 is not.
    folder = tmp_path / "run"
    data = Examples([np.full((3, 1), value) for value in (1.0, 2.0)] * 8, ["a", "b"] * 8)
    with pytest.raises(
        SeqzooError, match=r"no longer a finite number at step 2 \(epoch 2\)"
    ) as error:
        train(
            template(input="series"),
            replace(splits(), train=data, validation=None, test=None),
            settings(learning_rate=1e38, schedule="constant", epochs=5),
            folder,
        )
    assert "checkpoint of step 1 is kept" in str(error.value)
    assert "a learning rate below 1e+38, or with a smaller `clip_norm`." in str(error.value)
    # The weights that step 1 made are finite, but a sum over the units of a state is not.
    assert "value is in gate 'candidate' of layer 1, at time step 1 of row 0;" in str(error.value)
    assert all(np.isfinite(value).all() for value in weights(folder).values())
    assert len(Run.open(folder).history) == 1
    assert Run.open(folder).model is not None


def test_a_loss_that_is_not_finite_before_any_update_is_not_blamed_on_the_learning_rate(
    tmp_path,
) -> None:
    data = Examples([np.full((30, 1), value) for value in (1.0, 2.0)] * 8, ["a", "b"] * 8)
    chosen = template(input="series", cell="vanilla", cell_options={"activation": "linear"})
    with pytest.raises(SeqzooError, match="at step 1 .* with smaller initial weights or inputs"):
        train(
            chosen,
            replace(splits(), train=data, validation=None, test=None),
            settings(initialization="spectral-radius:1e30", clip_norm=None),
            tmp_path / "run",
        )


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
            replace(splits(), test=Examples(["ab", "a"], ["A", "Z"], lines=[7, 9])),
            "In the test examples: line 9 has the label 'Z'",
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
        train(template(**choices), data, settings(), tmp_path / "run")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("held_out", [True, False])
def test_patience_without_validation_examples_is_noted(tmp_path, held_out: bool) -> None:
    class Noting(Silent):
        notes: list[str]

        def note(self, text: str) -> None:
            self.notes.append(text)

    progress = Noting()
    progress.notes = []
    # With validation and no test examples, or with test and no validation examples.
    chosen = replace(splits(), **{"test" if held_out else "validation": None})
    train(template(), chosen, settings(epochs=1, patience=1), tmp_path / "run", progress=progress)
    assert any("Without validation examples" in note for note in progress.notes) != held_out


def test_run_folders_are_not_overwritten_or_mixed_up(unbroken, tmp_path) -> None:
    folder = unbroken[0]
    with pytest.raises(SeqzooError, match="already exists.*--resume"):
        train(template(**CHOICES), splits(), settings(), folder)
    for changed, message in (
        ({"template": template(units=9, **CHOICES)}, "units=8, got 9"),
        ({"settings": settings(epochs=3)}, "epochs=2, got 3"),
        ({"splits": splits(train=95)}, "The data differ"),
    ):
        arguments = {"template": template(**CHOICES), "splits": splits(), "settings": settings()}
        with pytest.raises(SeqzooError, match=message):
            train(**{**arguments, **changed}, folder=folder, resume=True)
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(SeqzooError, match="is not a run folder"):
            train(template(), splits(), settings(), path, resume=True)
    with pytest.raises(SeqzooError, match="multiple of 2, the number of replicas"):
        train(
            template(),
            splits(),
            settings(batch_size=15),
            tmp_path / "odd",
            strategy=Mock(spec=tf.distribute.Strategy, num_replicas_in_sync=2),
        )


def damaged(unbroken, tmp_path) -> pathlib.Path:
    """A copy of a good run, to be spoiled."""
    return pathlib.Path(shutil.copytree(unbroken[0], tmp_path / "run"))


@pytest.mark.parametrize(
    "text, message",
    [
        ("{", "config.json is damaged"),
        ("[]", "not a run folder"),
        ('{"template": "many-to-one"}', "config.json is damaged: KeyError"),
        ('{"template": "many-to-one", "format": "x"}', "config.json is damaged: TypeError"),
        ('{"template": "many-to-one", "format": 99}', "newer version of seqzoo"),
    ],
)
def test_damaged_configurations_are_reported(tmp_path, text: str, message: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(SeqzooError, match=message):
        Run.open(tmp_path)


@pytest.mark.parametrize("part", ["task", "training", "prepared", "vocabularies"])
def test_incomplete_configurations_are_reported(unbroken, tmp_path, part: str) -> None:
    folder = damaged(unbroken, tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({k: v for k, v in config.items() if k != part}))
    with pytest.raises(SeqzooError, match=f"config.json is damaged: KeyError.*{part}"):
        Run.open(folder)


def test_damaged_vocabularies_are_reported(unbroken, tmp_path) -> None:
    path = damaged(unbroken, tmp_path) / "vocabulary.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    for content in (lines[:-1], [*lines, '"more"\n'], lines[:1] * len(lines), ["1\n"] * len(lines)):
        path.write_text("".join(content))
        with pytest.raises(SeqzooError, match="vocabulary.jsonl is damaged"):
            Run.open(path.parent)
    path.write_text("".join(lines)[:-3])
    with pytest.raises(SeqzooError, match="vocabulary.jsonl cannot be read"):
        Run.open(path.parent)
    path.unlink()
    with pytest.raises(SeqzooError, match="vocabulary.jsonl cannot be read: .*No such file"):
        Run.open(path.parent)


def test_damaged_models_are_reported(unbroken, tmp_path) -> None:
    path = damaged(unbroken, tmp_path) / "model.keras"
    content = path.read_bytes()
    half = len(content) // 2
    spoilt = content[:half] + b"\xff" * 40 + content[half + 40 :]
    for changed, message in ((content[:half], "is damaged"), (b"", "is damaged"), (spoilt, "CRC")):
        path.write_bytes(changed)
        with pytest.raises(SeqzooError, match=f"model.keras .*{message}"):
            Run.open(path.parent).predict(["abc"])


@pytest.mark.parametrize(
    "name, content",
    [
        ("checkpoint", b"\xff" * 300),
        ("checkpoint", b"x"),
        ("checkpoint", b""),
        ("step-12.data-00000-of-00001", b"\xff" * 300),
        ("step-12.data-00000-of-00001", b""),
        ("step-12.index", b""),
    ],
)
def test_damaged_checkpoints_are_reported(unbroken, tmp_path, name: str, content: bytes) -> None:
    path = damaged(unbroken, tmp_path) / "checkpoints" / name
    assert path.is_file()
    path.write_bytes(content)
    arguments = {"template": template(**CHOICES), "splits": splits(), "settings": settings()}
    with pytest.raises(SeqzooError, match="checkpoints? .*cannot be read"):
        train(**arguments, folder=path.parent.parent, resume=True)


def test_settings_are_checked() -> None:
    for choices, message in (
        ({"epochs": 0}, "`epochs` must be at least 1, got 0"),
        ({"learning_rate": 0.0}, "`learning_rate` must be above 0 and finite, got 0.0"),
        ({"clip_norm": float("inf")}, "`clip_norm` must be above 0 and finite, got inf"),
        ({"weight_decay": float("nan")}, "`weight_decay` must be at least 0 and finite, got nan"),
        ({"seed": 2**32}, "`seed` must be .* at most 4294967295, got 4294967296"),
        ({"schedule": "step"}, "`schedule` must be one of 'cosine', 'constant', got 'step'"),
        ({"precision": "half"}, "`precision` must be one of"),
        ({"decay": 0.5}, "`decay` is for average 'ema', got 0.5 with None"),
        ({"average_best": 9, "average": "ema"}, "`average_best` is for average 'best', got 9 wi"),
        ({"washout": 3}, "`washout` is for readout 'ridge', got 3 with 'gradient'"),
        ({"ridge_penalty": 1.0}, "`ridge_penalty` is for readout 'ridge'"),
        ({"class_weight": {1: 2}}, "`class_weight` must be 'balanced' or positive weights by name"),
        ({"class_weight": {"a": True}}, "positive weights by name, got {'a': True}"),
    ):
        with pytest.raises(SeqzooError, match=message):
            settings(**choices)


def test_numbers_of_numpy_become_those_of_python() -> None:
    chosen = settings(
        epochs=np.int64(3), learning_rate=np.float32(0.5), class_weight={"a": np.int64(2)}
    )
    assert type(chosen.epochs) is int and type(chosen.learning_rate) is float
    assert json.loads(json.dumps(vars(chosen)))["class_weight"] == {"a": 2}
    assert type(template(units=np.int32(4)).units) is int


def test_a_damaged_history_is_reported(tmp_path) -> None:
    path = tmp_path / "history.csv"
    for content in (b"epoch,loss\n1,abc\n", b"epoch,loss\n1\n", b"epoch\n1,2\n", b"\xff\n1\n"):
        path.write_bytes(content)
        with pytest.raises(SeqzooError, match="history.csv is damaged: "):
            read_history(path)


def test_the_working_directory_is_no_run_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in (".", tmp_path):
        with pytest.raises(SeqzooError, match="is the working directory; name a new folder in it"):
            train(template(), splits(), settings(epochs=1), folder)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["abc", b"abc", ""])
def test_one_text_is_not_a_list_of_its_characters(unbroken, text) -> None:
    with pytest.raises(SeqzooError, match="`inputs` must be a list"):
        Run.open(unbroken[0]).predict(text)
