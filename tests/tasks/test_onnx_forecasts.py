"""Forecasters as ONNX files, with histories as dictionaries."""

import json
import pathlib
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import seqzoo.cells
from seqzoo.tasks import Examples, Forecast, History, SeqzooError, Splits, TrainingSettings, train
from seqzoo.tasks.export.predict.histories import HistoryReader
from seqzoo.zoo.inference.exported import exported_lines

pytest.importorskip("onnxruntime")

HORIZON = 5


def _history(name: str, scale: float, seed: int, steps: int = 120) -> History:
    random = np.random.default_rng(seed)
    known, past = random.normal(size=(steps, 1)), random.normal(size=(steps, 2))
    values = scale * np.exp(np.stack([known[:, 0], np.sin(np.arange(steps) / 3)], 1))
    values[17] = np.nan
    hours = np.datetime64("2020-01-01T00") + np.arange(steps)
    return History(hours, values, past, known, (name[0], 2 * scale), name)


def _before_horizon(history: History, steps: int) -> History:
    """The history until a step, with the known covariates of the horizon after it."""
    values = history.values.copy()
    values[steps:] = np.nan
    return replace(history, values=values).cut(steps + HORIZON)


def _dictionary(history: History, **changes: Any) -> dict[str, Any]:
    values = [[None if np.isnan(v) else v for v in row] for row in history.values.tolist()]
    item = {"values": values, "dates": history.dates.astype(str).tolist(), "series": history.name}
    item |= {"past": history.past.tolist(), "known": history.known.tolist()}
    return {**item, "static": list(history.static), **changes}


def _train(folder: pathlib.Path, precision: Any = "float32") -> Any:
    whole = [_history("a", 1.0, 0), _history("b", 50.0, 1)]
    splits = Splits(
        Examples([item.cut(80) for item in whole]), Examples([item.cut(120, 80) for item in whole])
    )
    template = Forecast(
        units=6, look_back=24, horizon=HORIZON, segment=3, distribution="quantiles", linear=True,
        transform="log", window_normalization="mean",
    )  # fmt: skip
    settings = TrainingSettings(epochs=1, batch_size=32, precision=precision)
    with seqzoo.cells.portable():
        return train(template, splits, settings, folder)


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> tuple[Any, pathlib.Path]:
    folder = tmp_path_factory.mktemp("forecast")
    run = _train(folder / "run")
    assert run.export(folder / "exported", format="onnx")["difference"] < 1e-4
    return run, folder / "exported"


def test_a_model_of_mixed_precision_is_exported_in_float32(tmp_path: pathlib.Path) -> None:
    run = _train(tmp_path / "run", "mixed_bfloat16")
    assert run.export(tmp_path / "exported", format="onnx")["difference"] < 1e-4


def test_predict_py_forecasts_like_the_model(exported: tuple[Any, pathlib.Path]) -> None:
    run, folder = exported
    program = (
        "import json, sys; sys.path.insert(0, sys.argv[1]); from predict import Model; "
        "print(json.dumps(Model().predict(json.load(sys.stdin))))"
    )
    histories = [
        _before_horizon(_history("b", 50.0, 1), 90),
        _before_horizon(_history("a", 1.0, 0), 15),  # shorter than the look-back
        replace(_before_horizon(_history("a", 3.0, 2), 60), name="new"),
    ]
    items = [_dictionary(history) for history in histories]
    items[0]["dates"] = items[0]["dates"][:90]  # those of the horizon follow
    process = subprocess.run(
        [sys.executable, "-I", "-c", program, str(folder)],
        input=json.dumps(items),
        capture_output=True,
        text=True,
        check=True,
    )
    for ours, theirs in zip(run.predict(histories), json.loads(process.stdout), strict=True):
        np.testing.assert_allclose(theirs["value"], ours.value, rtol=1e-4)
        quantiles = np.stack([theirs["quantiles"][f"{level:g}"] for level in run.template.levels])
        np.testing.assert_allclose(np.moveaxis(quantiles, 0, -1), ours.quantiles, rtol=1e-4)


def test_seqzoo_predict_reads_histories_from_json(
    exported: tuple[Any, pathlib.Path], tmp_path: pathlib.Path
) -> None:
    run, folder = exported
    history = _before_horizon(_history("a", 1.0, 0), 100)
    path = tmp_path / "history.json"
    path.write_text(json.dumps(_dictionary(history)))
    (reply,) = exported_lines(folder, (str(path),), 1, "jsonl", {})
    (expected,) = run.predict([history])
    answer = json.loads(reply.text)
    np.testing.assert_allclose(answer["answer"], expected.value, rtol=1e-4)
    np.testing.assert_allclose(answer["quantiles"]["0.9"], expected.quantiles[..., -1], rtol=1e-4)
    (reply,) = exported_lines(folder, ('{"values": []}',), 1, "text", {})
    assert reply.bad and "must have 2 columns" in reply.text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"values": []}, r"'values' of a history must have 2 columns, got an array of shape"),
        ({"values": [[None, None]]}, "needs at least one value"),
        ({"known": [[1.0]] * 100}, r"'known' must have 105 rows, got 100"),
        ({"past": [[1.0, 2.0]] * 99}, r"'past' must have 100 rows, got 99"),
        ({"dates": ["2020-01-01"] * 99}, r"'dates' must have 105 dates, .* included, got 99"),
        ({"static": ["a"]}, r"'static' of a history must have 2 values, got 1"),
        ({"static": ["a", "b"]}, r"could not convert string to float: 'b'"),
        ({"static": None}, "a history cannot be read: object of type 'NoneType' has no len"),
        ({"dates": [None] * 105}, "a history cannot be read: int.. argument must be"),
        ({"dates": ["soon"] * 105}, r"Error parsing datetime string \"soon\""),
    ],
)
def test_wrong_histories_are_reported(
    changes: dict[str, Any], message: str, exported: tuple[Any, pathlib.Path]
) -> None:
    about = json.loads((exported[1] / "model.json").read_text())["input"]
    item = _dictionary(_before_horizon(_history("a", 1.0, 0), 100), **changes)
    with pytest.raises(ValueError, match=message):
        HistoryReader(about).tensors([item])


def test_only_quantiles_in_closed_form_are_exported(
    exported: tuple[Any, pathlib.Path], tmp_path: pathlib.Path
) -> None:
    run, _ = exported
    template = replace(run.template, distribution="student-t")
    other = type(run.task)(template, run.task.features)
    from seqzoo.tasks.base import PredictionOptions
    from seqzoo.tasks.export.formats import Export, export

    wanted = Export(other, run.model, PredictionOptions(), run.predict)
    with pytest.raises(SeqzooError, match="'student-t', whose quantiles have no closed form, got"):
        export(wanted, tmp_path / "other", "onnx")
    assert not (tmp_path / "other").exists()
