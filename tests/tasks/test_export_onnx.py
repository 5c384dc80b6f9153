"""Runs exported to ONNX predict as in Python, from raw inputs to texts."""

import pathlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from export_cases import SMALL, cases, check_case, make_run, names_of_cases

from seqzoo.tasks import Examples, ManyToOne, SeqzooError
from seqzoo.tasks.base import PredictionOptions
from seqzoo.tasks.export import formats

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

CASES = cases()


@pytest.mark.parametrize("name", names_of_cases(quick=("characters",)))
def test_predictions_are_exactly_those_of_the_model(name: str, tmp_path: pathlib.Path) -> None:
    check_case(name, "onnx", tmp_path)


@pytest.mark.slow
def test_encoded_images_are_compared_as_arrays(tmp_path: pathlib.Path) -> None:
    chosen, examples, inputs = CASES["images"]
    files = [tf.io.encode_png(image).numpy() for image in inputs]
    run = make_run(tmp_path / "run", chosen, examples)
    assert run.export(tmp_path / "out", format="onnx", examples=files)["difference"] < 1e-5


@pytest.mark.slow
def test_images_read_by_rows_are_compared_at_the_size_of_the_model(tmp_path: pathlib.Path) -> None:
    images = list(np.random.default_rng(0).integers(0, 256, (8, 6, 5)).astype(np.uint8))
    chosen = ManyToOne("rows", image_size=(3, 4), **SMALL)
    run = make_run(tmp_path / "run", chosen, Examples(images, ["a", "b"] * 4))
    assert run.export(tmp_path / "out", format="onnx", examples=images[:3])["difference"] < 1e-5


@pytest.mark.slow
def test_an_export_that_predicts_differently_is_refused_and_leaves_nothing(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen, examples, inputs = CASES["series"]
    run = make_run(tmp_path / "run", chosen, examples)
    report = run.export(tmp_path / "right", format="onnx", examples=inputs)
    assert set(report["files"]) == {"model.json", "predict.py", "serving.onnx", "step.onnx"}
    assert report["difference"] < 1e-5

    from seqzoo.tasks.export import onnx_model

    real = onnx_model.onnx_model

    def wrong(part: Any, name: str) -> Any:
        model = real(part, name)
        for tensor in model.graph.initializer:
            if tensor.data_type == onnx.TensorProto.FLOAT:
                values = onnx.numpy_helper.to_array(tensor) * np.float32(1.01)
                tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
        return model

    monkeypatch.setattr(onnx_model, "onnx_model", wrong)
    with pytest.raises(SeqzooError, match="the model: serving/value is off by .* 1e-04 is"):
        run.export(tmp_path / "wrong", format="onnx", examples=inputs)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["right", "run"]


def test_products_before_a_logarithm_are_not_quantised(tmp_path: pathlib.Path) -> None:
    from onnx import TensorProto, helper, numpy_helper

    from seqzoo.tasks.export.onnx_model import _quantise

    weights = np.random.default_rng(0).uniform(0, 1, (4, 4)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["spectrum"]),
        helper.make_node("Log", ["spectrum"], ["energies"]),
        helper.make_node("MatMul", ["energies", "w"], ["y"]),
    ]
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [None, 4]) for n in "xy")
    graph = helper.make_graph(nodes, "g", [x], [y], [numpy_helper.from_array(weights, "w")])
    opsets = [helper.make_opsetid("", 17)]
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), str(path))
    _quantise(path)
    kinds = [node.op_type for node in onnx.load(str(path)).graph.node]
    assert kinds.index("MatMul") < kinds.index("Log") < kinds.index("MatMulInteger")
    assert kinds.count("MatMul") == kinds.count("MatMulInteger") == 1


def test_what_cannot_be_exported_is_refused_in_one_line(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted: Any = formats.Export(None, None, PredictionOptions(), lambda *_: [])
    with pytest.raises(SeqzooError, match="saved-model, onnx, .*got 'onx'; did you mean 'onnx'"):
        formats.export(wanted, tmp_path / "out", "onx")
    for precision, format in (("float16", "onnx"), ("int8", "saved-model")):
        with pytest.raises(SeqzooError, match=f"`precision` must be float32.* for {format}, got"):
            formats.export(replace(wanted, precision=precision), tmp_path / "out", format)
    with pytest.raises(SeqzooError, match="`steps` fixes the length of inputs only for litert"):
        formats.export(replace(wanted, steps=9), tmp_path / "out", "onnx")
    monkeypatch.setattr(formats.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SeqzooError, match=r"needs onnx and onnxruntime, .*\[onnx\]'"):
        formats.check_installed("onnx")
    assert not list(tmp_path.iterdir())
