"""Intervals of forecasts that are calibrated on folds of the training windows."""

import pathlib
import re
import shutil
from typing import Any

import numpy as np
import pytest

import seqzoo.cells
from seqzoo.tasks import (
    Examples,
    Forecast,
    History,
    Run,
    SeqzooError,
    Splits,
    TrainingSettings,
    matching_template,
    train,
)
from seqzoo.tasks.errors import Interrupted
from seqzoo.tasks.forecast.task import ForecastTask
from seqzoo.tasks.training.progress import Silent

LOOK_BACK, HORIZON, FOLDS = 4, 3, 3
SETTINGS = TrainingSettings(epochs=2, batch_size=32)


def _noise(calm: slice = slice(0), steps: int = 400, name: str = "a") -> History:
    """Noise, whose steps `calm` vary a fifth as much as the others."""
    values = np.random.default_rng(0).normal(size=steps)
    values[calm] /= 5
    return History(np.datetime64("2020-01-01") + np.arange(steps), values, name=name)


def _template(**options: Any) -> Forecast:
    choices: Any = {"units": 4, "calendar": False, "window_normalization": "none", **options}
    return Forecast(look_back=LOOK_BACK, horizon=HORIZON, segment=2, **choices)


def _splits() -> Splits:
    whole = _noise(calm=slice(200, 300))
    parts = whole.cut(200), whole.cut(300, 200), whole.cut(400, 300)
    training, validation, test = (Examples([part]) for part in parts)
    return Splits(training, validation, test)


def _train(folder: pathlib.Path, progress: Any = None, resume: bool = False, **options: Any) -> Run:
    with seqzoo.cells.portable():
        return train(
            _template(**options), _splits(), SETTINGS, folder, progress=progress, resume=resume
        )


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("runs") / "run"
    return _train(folder, conformal_folds=FOLDS, linear=True)


def _targets(data: Any) -> list[tuple[str, Any]]:
    """The series and the date of the first target of each window."""
    windows = data.inputs
    names = [windows.series[number] for number in windows.examples]
    return list(zip(names, windows.spans[:, 0], strict=True))


def test_folds_share_no_value_with_the_windows_to_train_on() -> None:
    panel = Examples([_noise(steps=60, name="b"), _noise(steps=35, name="a")])
    # A part of the series "a" with an earlier beginning, and "b" on its own, without earlier steps.
    last = _noise(steps=80, name="b")
    alone = History(last.dates[62:], last.values[62:], name="b")
    later = Examples([_noise(steps=70, name="a").cut(70, 40), alone])
    task = _template().adapt(panel)
    assert isinstance(task, ForecastTask)
    training, validation = task.data(panel), task.data(later)
    everything = _targets(training) + _targets(validation)
    folds = task.folds(training, validation, FOLDS)
    held_out = [window for _, fold in folds for window in _targets(fold)]
    assert sorted(held_out) == sorted(everything) and len(folds) == FOLDS
    day = np.timedelta64(1, "D")
    for kept, fold in folds:
        ahead = {(name, at + step * day) for name, at in _targets(fold) for step in range(HORIZON)}
        others = _targets(kept)
        assert not any(
            (name, at + step * day) in ahead for name, at in others for step in range(HORIZON)
        )
        assert len(others) > len(everything) // 2 and others == sorted(others)
        # A window is the same wherever it is.
        for row in (0, 1, -2, -1):
            whole = training if others[row] in _targets(training) else validation
            same = whole.inputs[_targets(whole).index(others[row])]
            np.testing.assert_array_equal(kept.inputs[row % len(others)], same)


@pytest.mark.slow
def test_intervals_cover_although_the_validation_steps_are_calm(run: Run, tmp_path) -> None:
    calm = _train(tmp_path / "run", linear=True)
    test = _splits().test
    assert test is not None
    assert calm.evaluate(test)["coverage_80"] < 0.4
    assert 0.65 < run.evaluate(test)["coverage_80"] < 0.9
    assert not (run.folder / "folds").exists()
    np.testing.assert_allclose(  # the forecasts themselves are the same
        run.predict(test.inputs)[0].value, calm.predict(test.inputs)[0].value, rtol=1e-6
    )


@pytest.mark.slow
def test_needs_no_validation_examples(tmp_path) -> None:
    whole = _noise()
    splits = Splits(Examples([whole.cut(300)]), None, Examples([whole.cut(400, 300)]))
    with seqzoo.cells.portable():
        trained = train(_template(conformal_folds=2), splits, SETTINGS, tmp_path / "run")
    assert splits.test is not None
    assert 0.65 < trained.evaluate(splits.test)["coverage_80"] < 0.9


class Stopping(Silent):
    """Ctrl-C in the first step of the second fold."""

    notes = ""

    def note(self, text: str) -> None:
        self.notes += text

    def step(self, done: int, loss: float, metric: float, tokens: int) -> None:
        if "Fold 2" in self.notes:
            raise KeyboardInterrupt


@pytest.mark.slow
def test_resumes_an_interrupted_calibration(run: Run, tmp_path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(Interrupted, match=re.escape(f"--resume --run {folder}")) as stopped:
        _train(folder, Stopping(), conformal_folds=FOLDS, linear=True)
    assert "folds" not in str(stopped.value)
    assert (folder / "folds" / "2").exists() and not (folder / "folds" / "3").exists()
    resumed = _train(folder, resume=True, conformal_folds=FOLDS, linear=True)
    expected = run.model.correction.numpy()
    np.testing.assert_array_equal(resumed.model.correction.numpy(), expected)
    assert not (folder / "folds").exists() and expected.any()
    again = _train(folder, Stopping(), resume=True, conformal_folds=FOLDS, linear=True)
    np.testing.assert_array_equal(again.model.correction.numpy(), expected)
    # Without checkpoints, the model is trained again, and then calibrated again.
    shutil.rmtree(folder / "checkpoints")
    anew = _train(folder, resume=True, conformal_folds=FOLDS, linear=True)
    np.testing.assert_array_equal(anew.model.correction.numpy(), expected)


@pytest.mark.slow
def test_refuses_what_cannot_be_trained_again(run: Run, tmp_path) -> None:
    with pytest.raises(SeqzooError, match="`conformal_folds` needs `conformal`"):
        _template(conformal_folds=2, conformal=False)
    with pytest.raises(SeqzooError, match="`conformal_folds` must be .*at least 2"):
        _template(conformal_folds=1)
    with pytest.raises(SeqzooError, match="`conformal_folds` is for training from scratch"):
        train(run.template, _splits(), SETTINGS, tmp_path / "run", start_from=run)
    with pytest.raises(SeqzooError, match="at least 5 windows to train on, got 3, with which fold"):
        few = Examples([_noise(steps=14)])
        train(run.template, Splits(few, few), SETTINGS, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert matching_template(run.template).conformal_folds is None
