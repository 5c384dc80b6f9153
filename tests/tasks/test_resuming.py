"""Training that was interrupted or killed ends with the numbers of an uninterrupted run."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from typing import Any

import keras
import pytest
from cell_names import BEFORE_RELEASES
from task_data import names, settings, splits, template
from training_cases import CHOICES, RecordingProgress, assert_same, history, weights

from seqzoo.tasks import Interrupted, SeqzooError
from seqzoo.tasks.runs.lock import alone_in
from seqzoo.tasks.runs.run import Run
from seqzoo.tasks.training.checkpoints import Checkpoints
from seqzoo.tasks.training.trainer import train

pytestmark = pytest.mark.usefixtures("plain_loop", "every_step")


def _resumed(folder: pathlib.Path) -> RecordingProgress:
    """The progress of a resumed training run."""
    progress = RecordingProgress()
    train(template(**CHOICES), splits(), settings(), folder, resume=True, progress=progress)
    return progress


@pytest.mark.slow
@pytest.mark.parametrize("stops", [pytest.param((6,), marks=BEFORE_RELEASES), (2, 5)])
def test_resumed_after_ctrl_c_with_the_same_numbers(unbroken, tmp_path, stops: tuple) -> None:
    folder = tmp_path / "run"
    for index, stop in enumerate(stops):
        with pytest.raises(Interrupted, match=f"--resume --run {folder}"):
            train(
                template(**CHOICES),
                splits(),
                settings(),
                folder,
                progress=RecordingProgress(stop),
                resume=index > 0,
            )
    train(template(**CHOICES), splits(), settings(), folder, resume=True)
    assert_same(unbroken[0], folder)


def test_a_signal_is_handled_between_steps(tmp_path) -> None:
    class Interrupting(RecordingProgress):
        def step(self, done, loss, metric, tokens):
            super().step(done, loss, metric, tokens)
            if len(self.steps) == 2:
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted, match="Stopped at step [23] of epoch 1, after a checkpoint"):
        train(template(), splits(), settings(), tmp_path / "run", progress=Interrupting())
    with pytest.raises(SeqzooError, match="no model yet.*--resume"):
        Run.open(tmp_path / "run").predict(["abc"])


def test_a_signal_while_the_last_epoch_is_evaluated_stops_the_run(tmp_path) -> None:
    class Interrupting(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch + 1 == settings().epochs:
                os.kill(os.getpid(), signal.SIGINT)

    arguments: Any = template(), splits(), settings(), tmp_path / "run"
    with pytest.raises(Interrupted, match="Stopped after the last epoch. To finish the run: .*"):
        train(*arguments, callbacks=[Interrupting()])
    run = train(*arguments, callbacks=[Interrupting()], resume=True)
    assert len(run.history) == settings().epochs


def test_two_processes_do_not_train_in_one_folder(tmp_path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(Interrupted):
        train(template(), splits(), settings(), folder, progress=RecordingProgress(2))
    message = "Another training process is running in .*/run; wait until it ends."
    with alone_in(folder, "This test"), pytest.raises(SeqzooError, match=message):
        train(template(), splits(), settings(), folder, resume=True)
    train(template(), splits(), settings(), folder, resume=True)


@pytest.mark.parametrize("test", [names(40, 4), None])
def test_a_changed_test_set_is_noticed(unbroken, test) -> None:
    message = f"The test examples differ from those that {unbroken[0]} was started with"
    with pytest.raises(SeqzooError, match=re.escape(message)):
        changed = replace(splits(), test=test)
        train(template(**CHOICES), changed, settings(), unbroken[0], resume=True)


def test_a_run_is_found_after_a_change_of_the_working_directory(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = train(template(), splits(), settings(), "run")
    assert str(run.folder) == "run"
    monkeypatch.chdir(tmp_path.parent)
    assert run.folder == tmp_path / "run"
    assert len(run.history) == settings().epochs and len(run.predict(["abc"])) == 1


@pytest.mark.slow
def test_the_path_of_a_run_may_look_like_a_pattern(tmp_path) -> None:
    folder = tmp_path / "runs [1]" / "what*"
    with pytest.raises(Interrupted):
        train(template(), splits(), settings(), folder, progress=RecordingProgress(2))
    train(template(), splits(), settings(), folder, resume=True)
    assert len(Run.open(folder).predict(["abc"])) == 1
    # The oldest checkpoints are removed.
    assert len(list((folder / "checkpoints").glob("*.index"))) <= 2


@pytest.mark.slow
def test_resuming_a_finished_run_changes_nothing(unbroken, tmp_path) -> None:
    # A copy: other tests count on the run as it is, log files included.
    folder = shutil.copytree(unbroken[0], tmp_path / "run")
    before, rows = weights(folder), history(folder)
    progress = _resumed(folder)
    assert not progress.steps and history(folder) == rows
    assert all((before[key] == value).all() for key, value in weights(folder).items())


@pytest.mark.parametrize("content", [None, b"no model"])
def test_a_lost_model_of_a_finished_run_needs_a_new_run(content, unbroken, tmp_path) -> None:
    folder = shutil.copytree(unbroken[0], tmp_path / "run")
    path = folder / "model.keras"
    path.unlink() if content is None else path.write_bytes(content)
    message = "model.keras is .*; restore the file, or train a new run"
    with pytest.raises(SeqzooError, match=message):
        Run.open(folder).predict(["abc"])
    with pytest.raises(SeqzooError, match=message):
        train(template(**CHOICES), splits(), settings(), folder, resume=True)


@pytest.mark.slow
@pytest.mark.parametrize("validated", [True, False])
def test_a_lost_model_that_no_later_epoch_replaces_is_noticed_before_training(
    validated: bool, tmp_path
) -> None:
    folder = tmp_path / "run"
    data = splits() if validated else replace(splits(), validation=None)
    with pytest.raises(Interrupted, match="of epoch 2"):
        train(template(), data, settings(), folder, progress=RecordingProgress(8))
    (folder / "model.keras").unlink()
    progress = RecordingProgress()
    if validated:
        with pytest.raises(SeqzooError, match="model.keras is missing, although an epoch"):
            train(template(), data, settings(), folder, resume=True, progress=progress)
        assert not progress.steps
    else:  # the last epoch is the best
        train(template(), data, settings(), folder, resume=True, progress=progress)
        assert progress.steps and len(Run.open(folder).predict(["abc"])) == 1


def test_a_run_from_before_an_option_or_a_fingerprint_existed_is_resumed(
    unbroken, tmp_path
) -> None:
    folder = shutil.copytree(unbroken[0], tmp_path / "run")
    config = json.loads((folder / "config.json").read_text())
    del config["task"]["label_smoothing"], config["training"]["clip_norm"]
    del config["data"]["test_fingerprint"]
    (folder / "config.json").write_text(json.dumps(config))
    train(
        template(**CHOICES),
        replace(splits(), test=names(40, 4)),
        settings(),
        folder,
        resume=True,
        progress=(progress := RecordingProgress()),
    )
    assert not progress.steps
    with pytest.raises(SeqzooError, match="started with label_smoothing=0.0, got 0.1"):
        train(template(**CHOICES, label_smoothing=0.1), splits(), settings(), folder, resume=True)


PROGRAM = """
import sys
from dataclasses import replace
from task_data import settings, splits, template
from seqzoo.tasks.training import epochs
from seqzoo.tasks.training.progress import Silent
from seqzoo.tasks.training.trainer import train

epochs.REPORT_SECONDS = 0.0
action, *folders = sys.argv[1:]

class Telling(Silent):
    def epoch(self, epoch, done):
        self.current = epoch
    def step(self, done, *rest):
        print(self.current, done, flush=True)

for folder in folders:
    train(
        template(dropout=0.1, recurrent_dropout=0.1),
        replace(splits(train=480), validation=None),
        settings(batch_size=8, checkpoint_seconds=0.05),
        folder,
        resume=action == "resume",
        progress=Telling(),
    )
"""


def _start(*arguments: str) -> subprocess.Popen:
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    paths = os.pathsep.join([root, os.path.join(root, "tests", "support")])
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


@pytest.mark.parametrize(
    "damage", [{"rows": 3}, {"rows": [{}]}, {"waited": "x"}, {"seconds": None}]
)
def test_a_checkpoint_with_a_damaged_state_is_refused(
    unbroken, tmp_path, monkeypatch, damage
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(unbroken[0], folder)
    state = {"rows": [], "waited": 0, "seconds": 0.0, **damage}
    monkeypatch.setattr(Checkpoints, "restore", lambda _: state)
    with pytest.raises(SeqzooError, match=r"The checkpoints in .* are damaged: "):
        train(template(**CHOICES), splits(), settings(), folder, resume=True)


def test_checkpoints_whose_list_is_missing_are_named(unbroken, tmp_path) -> None:
    """Training would otherwise begin anew without a word."""
    folder = shutil.copytree(unbroken[0], tmp_path / "run")
    (folder / "checkpoints" / "checkpoint").unlink()
    with pytest.raises(SeqzooError, match=r"their list, .*checkpoint, is missing\. Restore it, or"):
        train(template(**CHOICES), splits(), settings(), folder, resume=True)
    shutil.rmtree(folder / "checkpoints")
    progress = _resumed(folder)
    assert progress.steps
    assert_same(unbroken[0], folder)


@pytest.mark.slow
def test_resumed_after_sigkill_with_the_same_numbers(tmp_path) -> None:
    # On the fast path, in separate processes: one trains a whole run and is killed in another.
    with _start("begin", str(tmp_path / "whole"), str(tmp_path / "killed")) as process:
        lines = []
        for line in _lines(process):
            lines.append(line)
            if len(lines) > 120 and line == (2, 37):
                process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert lines[119] == (2, 60) and len(lines) < 240
    with _start("resume", str(tmp_path / "killed")) as process:
        rest = list(_lines(process))
    assert process.returncode == 0
    # It resumed in mid-epoch, from a checkpoint and not from the beginning.
    assert rest[0][0] == 2 and 1 < rest[0][1] <= 38 and rest[-1] == (2, 60)
    assert_same(tmp_path / "whole", tmp_path / "killed")
    assert not list((tmp_path / "killed" / "checkpoints").glob("*temp*"))


@pytest.mark.exhaustive
@pytest.mark.slow
def test_float16_learns_and_resumes(tmp_path) -> None:
    chosen = settings(precision="mixed_float16")
    train(template(**CHOICES), splits(), chosen, tmp_path / "whole")
    with pytest.raises(Interrupted):
        train(
            template(**CHOICES),
            splits(),
            chosen,
            tmp_path / "broken",
            progress=RecordingProgress(8),
        )
    train(template(**CHOICES), splits(), chosen, tmp_path / "broken", resume=True)
    assert_same(tmp_path / "whole", tmp_path / "broken")
    assert history(tmp_path / "whole")[-1]["validation_accuracy"] > 0.8
