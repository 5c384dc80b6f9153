"""`seqzoo predict` with an exported model: no TensorFlow, and the answers of the run."""

import json
import math
import pathlib
import subprocess
import sys
from typing import Any

import pytest
from cli_cases import ROOT, seqzoo

pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> pathlib.Path:
    """An export with two classes: the logits are the largest id of a text, and its negative."""
    folder = tmp_path_factory.mktemp("tiny")
    helper, kinds = onnx.helper, onnx.TensorProto
    nodes = [
        helper.make_node("Cast", ["values"], ["numbers"], to=kinds.FLOAT),
        helper.make_node("ReduceMax", ["numbers"], ["largest"], axes=[1], keepdims=1),
        helper.make_node("MatMul", ["largest", "kernel"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    given = [
        helper.make_tensor_value_info("values", kinds.INT32, [None, None]),
        helper.make_tensor_value_info("lengths", kinds.INT32, [None]),
    ]
    result = helper.make_tensor_value_info("probabilities", kinds.FLOAT, [None, 2])
    kernel = helper.make_tensor("kernel", kinds.FLOAT, [1, 2], [1.0, -1.0])
    graph = helper.make_graph(nodes, "tiny", given, [result], [kernel])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, str(folder / "serving.onnx"))
    inputs = [{"name": name, "dtype": "int32"} for name in ("values", "lengths")]
    about = {
        "format": "onnx",
        "parts": {"serving": {"file": "serving.onnx", "inputs": inputs}},
        "input": {
            "kind": "text",
            "vocabulary": ["a", "b"],
            "split": "characters",
            "nfc": False,
            "lowercase": False,
            "removed": "",
            "maximum_length": None,
        },
        "answer": {"kind": "class", "names": ["x", "y"], "top": 1},
    }
    (folder / "model.json").write_text(json.dumps(about))
    return folder


def test_a_model_predicts_without_tensorflow(tiny) -> None:
    program = (
        "import sys, seqzoo.cli\n"
        f"try: seqzoo.cli.main(['predict', {str(tiny / 'serving.onnx')!r}, '--json', 'ab', 'a'])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('tensorflow', 'keras') if name in sys.modules])"
    )
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    *lines, heavy = result.stdout.splitlines()
    assert heavy == "[]" and not result.stderr, result
    found = [json.loads(line) for line in lines]
    assert [own["line"] for own in found] == [1, 2] and {own["answer"] for own in found} == {"x"}
    for own, largest in zip(found, (3, 2), strict=True):
        assert own["probability"] == pytest.approx(1 / (1 + math.exp(-2 * largest)))


def test_its_output_is_that_of_runs(tiny) -> None:
    result = seqzoo("predict", tiny, "--top", 2, stdin="b\n\na\n")
    other = 1 / (1 + math.exp(6))
    assert result.stdout.splitlines()[0] == f"x\t{1 - other:.4f}\ty\t{other:.4f}"
    assert (result.exit_code, result.stderr) == (2, "Line 2 is empty.\n")
    table = seqzoo("predict", tiny, "a", "--format", "csv").stdout.splitlines()
    assert table[0] == "line,answer,probability" and table[1].startswith("1,x,0.98")


def test_what_does_not_apply_is_told(tiny, tmp_path) -> None:
    alone = tmp_path / "alone.onnx"
    alone.write_bytes((tiny / "serving.onnx").read_bytes())
    for words, message in (
        ([alone, "a"], "has no model.json next to it"),
        ([tiny, "a", "--attention"], "--attention is for runs"),
        ([tiny, "--input-file", "a.csv"], "--input-file is for runs"),
        ([tiny, "a", "--temperature", 0.5], "--temperature is for models that generate text"),
        ([tiny, "a", "--format", "conll"], "needs the probability of each tag"),
    ):
        result = seqzoo("predict", *words)
        assert (result.exit_code, result.stdout) == (2, ""), result.output
        assert message in result.stderr and len(result.stderr.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name, form", [("characters", "litert"), ("translation", "onnx")])
def test_answers_are_those_of_the_run(name, form, tmp_path) -> None:
    from export_cases import cases, make_run

    if form == "litert":
        pytest.importorskip("ai_edge_litert")
    template, examples, inputs = cases()[name]
    run = make_run(tmp_path / "run", template, examples)
    run.export(tmp_path / "out", format=form, check=False)
    for words in (["--json"], ["--top", 2], ["--format", "csv"]):
        mine, theirs = (
            seqzoo("predict", tmp_path / own, *words, "--", *inputs) for own in ("run", "out")
        )
        assert mine.exit_code == theirs.exit_code == 0, theirs.output
        lines = zip(mine.stdout.splitlines(), theirs.stdout.splitlines(), strict=True)
        if words == ["--json"]:
            for one, other in ((json.loads(a), json.loads(b)) for a, b in lines):
                assert _rounded(one) == _rounded(other)
        elif words == ["--top", 2]:  # probabilities with four digits
            assert all(one.split("\t")[0] == other.split("\t")[0] for one, other in lines)
            assert mine.stdout == theirs.stdout


def _rounded(answer: dict[str, Any]) -> dict[str, Any]:
    return {
        key: pytest.approx(own, rel=1e-3) if isinstance(own, float) else own
        for key, own in answer.items()
    }
