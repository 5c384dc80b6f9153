"""Forecasters as ONNX and LiteRT files, with histories as dictionaries."""

import json
import pathlib
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import seqzoo.cells
from seqzoo.tasks import Examples, Forecast, History, SeqzooError, Splits, TrainingSettings, train
from seqzoo.tasks.export.litert_model import litert_model
from seqzoo.tasks.export.parts import Part
from seqzoo.tasks.export.predict.histories import HistoryReader
from seqzoo.zoo.inference.exported import exported_lines

pytest.importorskip("onnxruntime")
pytest.importorskip("ai_edge_litert")

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
    for format in ("onnx", "litert"):
        assert run.export(folder / format, format=format)["difference"] < 1e-4
    return run, folder / "onnx"


@pytest.mark.slow
def test_a_model_of_mixed_precision_is_exported_in_float32(tmp_path: pathlib.Path) -> None:
    run = _train(tmp_path / "run", "mixed_bfloat16")
    assert run.export(tmp_path / "exported", format="onnx")["difference"] < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "litert"])
def test_predict_py_forecasts_like_the_model(
    format: str, exported: tuple[Any, pathlib.Path]
) -> None:
    run, folder = exported[0], exported[1].with_name(format)
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


def test_the_calendar_is_exact_in_float16() -> None:
    """Radians per second are too small for float16."""
    from ai_edge_litert.interpreter import Interpreter

    dates = np.datetime64("2019-01-01T00") + 6 * np.arange(3000)
    history = History(dates, np.zeros(3000))
    template = Forecast(look_back=1456, horizon=4, units=2)
    features: Any = template.adapt(Examples([history])).features
    assert features.config["cycles"] == ["day", "week", "year"]

    def run(**tensors: Any) -> dict[str, Any]:
        return {"steps": features.transform_indexed(tensors)[0]}

    window = features.raw([history.cut(1460)], ["it"])
    names = [spec.name for spec in features.signature]
    specs = [tf.TensorSpec([None, *item.shape[1:]], item.dtype, name)
             for item, name in zip(window, names, strict=True)]  # fmt: skip
    content = litert_model(Part(run, tuple(specs)), "float16")
    runner = Interpreter(model_content=content).get_signature_runner()
    result = runner(**dict(zip(names, window, strict=True)))["steps"]
    expected = run(**dict(zip(names, map(tf.constant, window), strict=True)))["steps"]
    parts = [features.layout.split(item)["calendar"] for item in (result, expected)]
    assert parts[1].shape[-1] == 6 and np.ptp(parts[1], 1).min() > 1.9
    np.testing.assert_allclose(parts[0], parts[1], atol=5e-3)


@pytest.mark.slow
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
    (reply,) = exported_lines(folder, ("week",), 1, "text", {})
    assert reply.bad and "must be a .json file, or a history as a JSON object" in reply.text
    with pytest.raises(SeqzooError, match="--format csv of forecasts needs the names of columns"):
        next(iter(exported_lines(folder, (str(path),), 1, "csv", {})))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"values": []}, r"'values' of a history must have 2 columns, got an array of shape"),
        ({"values": [[None, None]]}, "needs at least one value"),
        ({"values": [[1.0, -1.0]] * 100}, "'values' must be above 0, got -1"),
        ({"values": [["a", 1.0]]}, "'values' of a history must be rows of 2 numbers"),
        ({"values": [[1.0], [1.0, 2.0]]}, "'values' of a history must be rows of 2 numbers"),
        ({"known": [[1.0]] * 100}, r"'known' must have a row for each .* horizon \(105\), got 100"),
        ({"known": [[1.0]] * 120}, r"'known' must have a row for each .* horizon \(105\), got 120"),
        ({"dates": []}, "a history lacks 'dates', from which this model takes the time"),
        ({"past": [[1.0, 2.0]] * 99}, r"'past' must have one row for each of the 105 .*, got 99"),
        ({"past": [[1.0, 2.0]] * 120}, r"'past' must have one row for each of the 105 .*, got 120"),
        (
            {"dates": ["2020-01-01"] * 99},
            r"'dates' must have one row for each of the 105 .*, got 99",
        ),
        (
            {"dates": ["2020-01-01"] * 105},
            "'dates' must be 3600 seconds apart in UTC, .*, but date 2",
        ),
        ({"dates": [None] * 105}, "'dates' of a history must be dates such as"),
        ({"dates": ["soon"] * 105}, "'dates' of a history must be dates such as"),
        ({"dates": [0.5] * 105}, "'dates' of a history must be dates such as"),
        ({"static": None}, "'static' of a history must be a list of 2"),
        ({"static": ["a"]}, "'static' of a history must be a list of 2"),
        ({"static": ["a", "b"]}, "a value of 'static' must be a number, as in training, got 'b'"),
    ],
)
def test_wrong_histories_are_reported(
    changes: dict[str, Any], message: str, exported: tuple[Any, pathlib.Path]
) -> None:
    about = json.loads((exported[1] / "model.json").read_text())["input"]
    item = _dictionary(_before_horizon(_history("a", 1.0, 0), 100), **changes)
    with pytest.raises(ValueError, match=message):
        HistoryReader(about).tensors([item])


@pytest.mark.slow
def test_the_series_of_a_history_is_named(exported: tuple[Any, pathlib.Path]) -> None:
    reader = HistoryReader(json.loads((exported[1] / "model.json").read_text())["input"])
    item = _dictionary(_before_horizon(_history("a", 1.0, 0), 100))
    assert reader.tensors([item, {**item, "series": "b"}, {**item, "series": 3}])[
        "series"
    ].tolist() == [1, 2, 0]
    del item["series"]
    with pytest.raises(ValueError, match="a history must have 'series', the name of its series"):
        reader.tensors([item])


@pytest.mark.slow
def test_dates_may_be_seconds(exported: tuple[Any, pathlib.Path]) -> None:
    reader = HistoryReader(json.loads((exported[1] / "model.json").read_text())["input"])
    item = _dictionary(_before_horizon(_history("a", 1.0, 0), 100))
    dates = np.array(item["dates"], "datetime64[s]")
    forms = (dates, dates.astype(np.int64).tolist(), [f"{date}Z" for date in item["dates"]])
    expected = reader.tensors([item])["dates"]
    assert np.diff(expected).max() == 3600 and expected.shape == (1, 24 + HORIZON)
    for form in forms:
        result = reader.tensors([{**item, "dates": form}])["dates"]
        np.testing.assert_array_equal(result, expected)


@pytest.mark.slow
def test_steps_without_a_fixed_length_need_the_dates_of_the_horizon(
    exported: tuple[Any, pathlib.Path],
) -> None:
    about = json.loads((exported[1] / "model.json").read_text())["input"]
    reader = HistoryReader({**about, "seconds": None, "inputs": ["dates"]})
    item = _dictionary(_before_horizon(_history("a", 1.0, 0), 100))
    assert reader.tensors([item])["dates"].shape == (1, 24 + HORIZON)
    item["dates"][50:52] = item["dates"][51:49:-1]
    with pytest.raises(ValueError, match="'dates' must be in order, but date 52 is not"):
        reader.tensors([item])
    item["values"], item["dates"] = item["values"][:100], item["dates"][:50]
    with pytest.raises(ValueError, match="'dates' must have one row for each of the 100 rows"):
        reader.tensors([item])


@pytest.mark.slow
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
