"""Runs exported to LiteRT predict as in Python, with only built-in operations."""

import os
import pathlib
import tempfile
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from export_cases import SMALL, cases, check_case, make_run, names_of_cases, standalone_model
from tensorflow.python.saved_model import save as saved_model

from seqzoo.tasks import (
    Examples,
    ManyToManyEncoderDecoder,
    ManyToManyUnaligned,
    ManyToOne,
    SeqzooError,
)
from seqzoo.tasks.base import PredictionOptions
from seqzoo.tasks.export import litert_model
from seqzoo.tasks.export.parts import parts_of
from seqzoo.tasks.export.reading import read_by_steps

pytest.importorskip("ai_edge_litert")

CASES = cases()


@pytest.mark.parametrize("name", names_of_cases())
def test_predictions_are_exactly_those_of_the_model(name: str, tmp_path: pathlib.Path) -> None:
    model = check_case(name, "litert", tmp_path)
    for part, part_model in model.parts.items():
        operators = {one["op_name"] for one in part_model.interpreter._get_ops_details()}
        assert not [one for one in operators if one.startswith(("Flex", "FLEX", "CUSTOM"))]
        assert not operators & {"CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"}
        if part == "step":
            assert not operators & {"WHILE", "IF"}


@pytest.mark.slow
def test_fixed_steps_take_shorter_inputs_and_refuse_longer_ones(tmp_path: pathlib.Path) -> None:
    chosen, examples, inputs = CASES["characters"]
    run = make_run(tmp_path / "run", chosen, examples)
    report = run.export(tmp_path / "out", format="litert", steps=12, examples=["abc", "the dogs'"])
    assert report["difference"] < 1e-4
    model = standalone_model(tmp_path / "out")
    (answer,) = run.predict(["the dogs"])
    assert model.predict(["the dogs"])[0]["label"] == answer.label
    with pytest.raises(ValueError, match="was exported for 12 steps, but 'values' has 13"):
        model.predict(["0123456789abc"])


@pytest.mark.slow
def test_fixed_steps_cut_only_results_that_have_them(tmp_path: pathlib.Path) -> None:
    """There are as many classes as steps."""
    chosen, examples, inputs = CASES["characters"]
    run = make_run(tmp_path / "run", chosen, examples)
    classes = len(run.task.targets.names)
    run.export(tmp_path / "out", format="litert", steps=classes, examples=["abc"])
    model = standalone_model(tmp_path / "out")
    for text in ("a", "ab"[:classes]):
        (answer,), (found,) = run.predict([text]), model.predict([text])
        assert found["label"] == answer.label
        assert found["probability"] == pytest.approx(answer.probability, abs=1e-5)


@pytest.mark.slow
def test_fixed_steps_of_columns_shorten_the_width_of_images(tmp_path: pathlib.Path) -> None:
    chosen, examples, inputs = CASES["convolved-lines"]
    assert inputs[0].shape[1] == 5  # three steps of two columns
    run = make_run(tmp_path / "run", chosen, examples)
    report = run.export(tmp_path / "out", format="litert", steps=2, examples=inputs)
    assert report["difference"] < 1e-4


def test_steps_are_refused_where_all_inputs_have_the_same_length(tmp_path: pathlib.Path) -> None:
    chosen, examples, inputs = CASES["rows"]
    run = make_run(tmp_path / "run", chosen, examples)
    with pytest.raises(SeqzooError, match="`steps` must be None for this model, .* got 3"):
        run.export(tmp_path / "out", format="litert", steps=3, examples=inputs)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.slow
@pytest.mark.parametrize("format", ["litert", "onnx"])
def test_smaller_weights_make_smaller_files_and_nearly_the_same_answers(
    format: str, tmp_path: pathlib.Path
) -> None:
    chosen, examples, inputs = CASES["audio"]
    # Little noise: in a chaotic network any rounding grows.
    wide = type(chosen)(**{**vars(chosen), "units": 96})
    run = make_run(tmp_path / "run", wide, examples, noise=0.02)
    sizes = {}
    for precision in ("float32", "float16", "int8"):
        if (format, precision) == ("onnx", "float16"):
            continue
        folder = tmp_path / precision
        report = run.export(
            folder, PredictionOptions(3), format=format, precision=precision, examples=inputs
        )
        (name,) = [name for name in report["files"] if name.startswith("step")]
        sizes[precision] = report["files"][name]
        predicted = standalone_model(folder).predict(inputs)
        for answer, prediction in zip(
            run.predict(inputs, PredictionOptions(3)), predicted, strict=True
        ):
            ours, theirs = dict(answer.alternatives), dict(prediction["alternatives"])
            gaps = [abs(ours[name] - theirs[name]) for name in ours]
            assert max(gaps) < {"float32": 1e-5, "float16": 5e-3}.get(precision, 0.1)
    # ONNX files keep the spectrum's matrices as floats.
    assert sizes["int8"] < {"litert": 0.45, "onnx": 0.75}[format] * sizes["float32"]
    assert sizes.get("float16", 0) < 0.65 * sizes["float32"]
    assert np.isfinite(list(sizes.values())).all()
    with pytest.raises(SeqzooError, match="full-int8 is not for models that read audio.*"):
        run.export(tmp_path / "integers", format="litert", precision="full-int8")


@pytest.mark.slow
@pytest.mark.parametrize(
    "template, shape",
    [
        (ManyToOne("pixels", maximum_length=7, **SMALL), (4, 3)),
        (ManyToOne("rows", **SMALL), (4, 3, 2)),
        (ManyToOne("columns", maximum_length=4, **SMALL), (3, 5)),
        (ManyToOne("columns", columns_per_step=2, **SMALL), (4, 2, 2)),
    ],
    ids=["pixels", "rows", "columns", "several"],
)
def test_activations_are_measured_on_the_steps_of_an_image(template: Any, shape: tuple) -> None:
    images = list(np.random.default_rng(0).integers(0, 256, (2, *shape)).astype(np.uint8))
    task: Any = template.adapt(Examples(images, ["a", "b"]))
    arguments = list(read_by_steps(task, parts_of(task, task.build("float32")), images[:1]))
    values, _ = task.features.transform(*task.features.raw(images[:1], ["the first"]))
    assert (np.concatenate([item["values"] for item in arguments]) == values.numpy()[0]).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    "template, targets",
    [
        (ManyToOne("pixels", **SMALL), ["a", "b"] * 4),
        (ManyToOne("rows", **SMALL), ["a", "b"] * 4),
        (ManyToManyUnaligned(columns_per_step=2, bidirectional=False, **SMALL), ["ab", "b"] * 4),
        (ManyToManyEncoderDecoder("columns", **SMALL), ["ab", "b"] * 4),
    ],
    ids=["pixels", "rows", "columns", "generated"],
)
def test_models_that_read_images_have_steps_of_integers(template, targets, tmp_path) -> None:
    images = list(np.random.default_rng(0).integers(0, 256, (8, 5, 4, 3)).astype(np.uint8))
    run = make_run(tmp_path / "run", template, Examples(images, targets), noise=0.02)
    report = run.export(tmp_path / "out", format="litert", precision="full-int8", examples=images)
    assert "step.tflite" in report["files"]


@pytest.mark.slow
def test_temporary_files_that_cannot_be_written_are_named(tmp_path, monkeypatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise tf.errors.OutOfRangeError(None, None, "File too large")

    chosen, examples, _ = CASES["characters"]
    run = make_run(tmp_path / "run", chosen, examples)
    monkeypatch.setattr(saved_model, "save", fails)
    with pytest.raises(SeqzooError, match=f"temporary files in {tempfile.gettempdir()}; make room"):
        run.export(tmp_path / "out", format="litert", check=False)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_few_steps_need_no_examples(tmp_path) -> None:
    chosen, examples, _ = CASES["characters"]
    run = make_run(tmp_path / "run", chosen, examples)
    report = run.export(tmp_path / "out", format="litert", steps=4)
    assert report["difference"] < 1e-4


def test_messages_are_silenced_where_standard_error_is_closed() -> None:
    saved = os.dup(2)
    os.close(2)
    try:
        with litert_model._quiet():
            os.write(2, b"dropped")
        with pytest.raises(OSError):
            os.fstat(2)  # closed again
    finally:
        os.dup2(saved, 2)
        os.close(saved)
