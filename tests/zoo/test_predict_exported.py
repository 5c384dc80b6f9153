"""`seqzoo predict` with an exported model: no TensorFlow, and the answers of the run."""

import builtins
import hashlib
import json
import math
import pathlib
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from cli_cases import ROOT, seqzoo

from seqzoo.tasks import Examples, SeqzooError
from seqzoo.tasks.export.predict.audio import AudioReader
from seqzoo.zoo.data import open as opening
from seqzoo.zoo.data.prediction_inputs import RawInput
from seqzoo.zoo.inference.export import LONGEST, _held_out
from seqzoo.zoo.inference.exported import ExportedModel

pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")


PROBABILITIES = ("probability", "token_probability", "probabilities")


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
    results = [json.loads(line) for line in lines]
    assert [item["line"] for item in results] == [1, 2] and {
        item["answer"] for item in results
    } == {"x"}
    for item, largest in zip(results, (3, 2), strict=True):
        assert item["probability"] == pytest.approx(1 / (1 + math.exp(-2 * largest)))


def test_its_output_is_that_of_runs(tiny) -> None:
    result = seqzoo("predict", tiny, "--top", 2, stdin="b\n\na\n")
    other = 1 / (1 + math.exp(6))
    assert result.stdout.splitlines()[0] == f"x\t{1 - other:.4f}\ty\t{other:.4f}"
    assert (result.exit_code, result.stderr) == (
        2,
        "Line 2 is empty; fill it in or leave it out.\n",
    )
    table = seqzoo("predict", tiny, "a", "--format", "csv").stdout.splitlines()
    assert table[0] == "line,answer,probability" and table[1].startswith("1,x,0.98")


def test_options_that_do_not_apply_are_reported(tiny, tmp_path) -> None:
    alone = tmp_path / "alone.onnx"
    alone.write_bytes((tiny / "serving.onnx").read_bytes())
    for words, message in (
        ([alone, "a"], "has no model.json next to it"),
        ([tiny, "a", "--attention"], "--attention is for runs"),
        ([tiny, "--input-file", "a.csv"], "--input-file is for runs"),
        ([tiny, "a", "--temperature", 0.5], "--temperature is for models that generate text"),
        ([tiny, "a", "--format", "conll"], "--format conll is for tags, got "),
    ):
        result = seqzoo("predict", *words)
        assert (result.exit_code, result.stdout) == (2, ""), result.output
        assert message in result.stderr and len(result.stderr.splitlines()) == 1


def _damaged(tiny: pathlib.Path, folder: pathlib.Path, **changes: Any) -> pathlib.Path:
    """A copy of an export whose model.json is changed: a dictionary by the name of its section."""
    folder.mkdir()
    about = json.loads((tiny / "model.json").read_text())
    for name, change in changes.items():
        about[name] = {**about[name], **change} if isinstance(change, dict) else change
    (folder / "model.json").write_text(json.dumps(about))
    (folder / "serving.onnx").write_bytes((tiny / "serving.onnx").read_bytes())
    return folder


def _refused(folder: pathlib.Path) -> str:
    result = seqzoo("predict", folder, "a")
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    (line,) = result.stderr.splitlines()
    return line


def _serving(file: Any) -> dict[str, Any]:
    return {"serving": {"file": file, "inputs": [{"name": "values", "dtype": "int32"}]}}


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "pickle"},
        {"format": ["onnx"]},
        {"parts": []},
        {"parts": {"serving": 3}},
        {"parts": {"serving": {"file": 3, "inputs": []}}},
        {"input": None},
        {"input": {"kind": "pickles"}},
        {"input": {"vocabulary": [{}]}},
        {"answer": {"names": 3}},
        {"answer": {"names": []}},
        {"answer": {"names": ["x", None]}},
        {"answer": {"kind": "texts", "decoding": ["x"]}},
    ],
    ids=str,
)
def test_an_untrusted_description_is_refused_in_one_line(changes, tiny, tmp_path) -> None:
    folder = _damaged(tiny, tmp_path / "export", **changes)
    assert f"The export in {folder} is damaged: " in _refused(folder)


def test_files_outside_the_folder_of_an_export_are_not_read(tiny, tmp_path) -> None:
    outside = tmp_path / "outside.onnx"
    outside.write_bytes((tiny / "serving.onnx").read_bytes())
    for number, name in enumerate(("../outside.onnx", str(outside))):
        folder = _damaged(tiny, tmp_path / str(number), parts=_serving(name))
        assert "outside.onnx failed. File doesn't exist" in _refused(folder)


def test_a_model_of_another_export_is_refused_by_its_digest(tiny, tmp_path) -> None:
    part = json.loads((tiny / "model.json").read_text())["parts"]["serving"]
    digest = hashlib.sha256((tiny / "serving.onnx").read_bytes()).hexdigest()
    for stored, status in ((digest, 0), (None, 0), ("0" * 64, 2), (3, 2)):
        parts = {"serving": {**part, "sha256": stored}}
        folder = _damaged(tiny, tmp_path / str(stored), parts=parts)
        assert seqzoo("predict", folder, "a").exit_code == status
    assert "serving.onnx is not the file that model.json describes" in _refused(folder)


def test_an_export_that_may_not_be_read_is_not_called_damaged(tiny, tmp_path, monkeypatch) -> None:
    folder, opened = _damaged(tiny, tmp_path / "export"), builtins.open

    def refused(path: Any, *rest: Any, **more: Any) -> Any:
        if str(path) == str(folder / "serving.onnx"):
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *rest, **more)

    monkeypatch.setattr(builtins, "open", refused)
    assert _refused(folder) == f"Error: {folder}/serving.onnx cannot be read: Permission denied."


@pytest.mark.parametrize("content", ["[" * 100_000, "[]", "{", "\x00"], ids=len)
def test_an_invalid_description_is_refused_in_one_line(content, tiny, tmp_path) -> None:
    folder = _damaged(tiny, tmp_path / "export")
    (folder / "model.json").write_text(content)
    assert "is damaged: " in _refused(folder)


def _weights_elsewhere(content: bytes, location: str) -> bytes:
    """A model whose kernel is stored in another file."""
    model = onnx.load_from_string(content)
    (kernel,) = model.graph.initializer
    kernel.ClearField("float_data")
    kernel.data_location = onnx.TensorProto.EXTERNAL
    entry = kernel.external_data.add()
    entry.key, entry.value = "location", location
    return model.SerializeToString()


def _huge(content: bytes) -> bytes:
    model = onnx.load_from_string(content)
    model.graph.initializer[0].dims[0] = 2**40
    return model.SerializeToString()


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: bytes(range(256)) * 8,
        lambda content: _weights_elsewhere(content, "/etc/passwd"),
        lambda content: _weights_elsewhere(content, "../kernel"),
        lambda content: _weights_elsewhere(content, "link"),
        _huge,
    ],
    ids=["empty", "truncated", "random", "absolute", "above", "link", "huge"],
)
def test_an_untrusted_model_is_refused_in_one_line(damage, tiny, tmp_path) -> None:
    (tmp_path / "kernel").write_bytes(bytes(8))
    folder = _damaged(tiny, tmp_path / "export")
    (folder / "link").symlink_to(tmp_path / "kernel")
    (folder / "serving.onnx").write_bytes(damage((tiny / "serving.onnx").read_bytes()))
    assert f"The export in {folder} is damaged: " in _refused(folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, form", [("characters", "litert"), ("translation", "onnx"), ("tags", "onnx")]
)
def test_predictions_are_those_of_the_run(name, form, tmp_path) -> None:
    from export_cases import cases, make_run

    if form == "litert":
        pytest.importorskip("ai_edge_litert")
    template, examples, inputs = cases()[name]
    run = make_run(tmp_path / "run", template, examples)
    run.export(tmp_path / "out", format=form, check=False)
    ways = [["--json"], ["--top", 2], ["--format", "csv"]]
    if name == "tags":
        inputs = inputs[:-1]
        ways.append(["--format", "conllu"])
    for words in ways:
        mine, theirs = (
            seqzoo("predict", tmp_path / path, *words, "--", *inputs) for path in ("run", "out")
        )
        assert mine.exit_code == theirs.exit_code == 0, theirs.output
        lines = zip(mine.stdout.splitlines(), theirs.stdout.splitlines(), strict=True)
        if words == ["--json"]:
            for one, other in ((json.loads(a), json.loads(b)) for a, b in lines):
                assert _rounded(one) == other
        elif words == ["--top", 2]:  # probabilities with four digits
            assert all(one.split("\t")[0] == other.split("\t")[0] for one, other in lines)
            assert mine.stdout == theirs.stdout
        elif words[-1] == "conllu":
            assert mine.stdout == theirs.stdout and "\tProbability=0." in theirs.stdout


@pytest.mark.slow
def test_series_are_continued_for_any_number_of_steps(tmp_path) -> None:
    from export_cases import make_run

    from seqzoo.tasks import Examples, ManyToManyAligned

    template = ManyToManyAligned("series", "next", units=4, horizon=2)
    examples = Examples([[[float(step % 3)] for step in range(9)]] * 3)
    make_run(tmp_path / "run", template, examples).export(tmp_path / "out", format="onnx")
    for words, steps in (([], 2), (["--maximum-length", 5], 5)):
        mine, theirs = (
            json.loads(seqzoo("predict", tmp_path / path, "--json", *words, "1 2 0 1").stdout)
            for path in ("run", "out")
        )
        assert len(theirs["answer"]) == steps
        assert theirs["answer"] == pytest.approx(mine["answer"], rel=1e-4)


def _rounded(answer: dict[str, Any]) -> dict[str, Any]:
    return {
        key: pytest.approx(value, rel=1e-3) if key in PROBABILITIES else value
        for key, value in answer.items()
    }


@pytest.mark.parametrize(
    "kind, top, given, message",
    [
        ("tags", 3, {}, r"--top ranks several .* of this kind \(tags\) has one"),
        ("value", 2, {}, "--top ranks several predictions"),
        ("following", 1, {"method": "beam"}, "^--method is not supported .* only takes --maximum-"),
        ("texts", 1, {"language_model": "runs/lm"}, "--language-model is not supported by an exp"),
        ("texts", 1, {"replace_unknown": True}, "--replace-unknown is not supported by an export"),
    ],
)
def test_options_that_an_export_cannot_follow_are_refused(kind, top, given, message) -> None:
    model = ExportedModel.__new__(ExportedModel)
    model.folder, model.kind = pathlib.Path("x"), kind
    model._model = SimpleNamespace(answer={"crf": None})
    with pytest.raises(SeqzooError, match=message):
        model.options(top, given)


def test_files_that_an_export_does_not_read_are_refused_as_files(tmp_path) -> None:
    model = ExportedModel.__new__(ExportedModel)
    about = {"kind": "sequences", "sample_rate": 8000}
    model._model = SimpleNamespace(input=about, reader=AudioReader(about))
    (tmp_path / "a.flac").touch()
    wrong = model.read(RawInput(1, str(tmp_path / "a.flac"))).wrong
    assert "cannot be read: this model reads .npy or .wav files, got " in str(wrong)
    assert "is not a number" in str(model.read(RawInput(1, "none.flac")).wrong)
    np.testing.assert_array_equal(model.read(RawInput(1, "0.5 1")).field, [0.5, 1])


@pytest.mark.parametrize(
    "kind, values, cut",
    [
        ("characters", ["a" * 9000, "b"], [LONGEST, 1]),
        ("series", [np.zeros((9000, 2)), np.zeros((3, 2))], [LONGEST, 3]),
        ("pixels", [np.zeros((500, 500))], [500]),
    ],
)
def test_an_export_is_checked_with_the_beginning_of_long_examples(
    kind, values, cut, monkeypatch
) -> None:
    run: Any = SimpleNamespace(template=SimpleNamespace(input=kind, name="many-to-one"))
    monkeypatch.setattr("seqzoo.zoo.inference.export.Source", SimpleNamespace(of_run=str))
    monkeypatch.setattr(opening, "open_examples", lambda *_: Examples(values))
    assert sorted(map(len, _held_out(run))) == sorted(cut)
