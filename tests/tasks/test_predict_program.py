"""The predict.py of ONNX and LiteRT exports: its parts, and the file that they are joined into."""

import ast
import importlib
import itertools
import math
import pathlib
import wave
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from seqzoo.tasks import Examples, ManyToOne
from seqzoo.tasks.export.description import _input
from seqzoo.tasks.export.predict import (
    audio,
    command_line,
    crf,
    numbers,
    subwords,
    texts,
    transcripts,
    words,
)
from seqzoo.tasks.export.predict.numbers import ArrayReader, ColumnReader, SeriesReader
from seqzoo.tasks.export.predict_program import (
    ANSWERS,
    PARTS,
    READERS,
    SHARED,
    model_class,
    predict_program,
)

FOLDER = pathlib.Path(texts.__file__).parent
TEXT: dict[str, Any] = {"kind": "text", "split": "words", "vocabulary": ["a", "b"]}


def about(format: str = "onnx", input: Any = TEXT, kind: str = "class", **answer: Any) -> Any:
    return {"format": format, "input": input, "answer": {"kind": kind, **answer}}


def all_models() -> list[dict[str, Any]]:
    splits = [kind.removeprefix("text in ") for kind in READERS if kind.startswith("text in ")]
    inputs = [{**TEXT, "split": split} for split in splits]
    inputs += [{"kind": kind} for kind in READERS if " in " not in kind and kind != "audio"]
    inputs.append({"kind": "sequences", "sample_rate": 8000})
    answers = [{"kind": kind} for kind in ANSWERS if kind not in ("tags", "best tags")]
    answers += [{"kind": "tags", "crf": None}, {"kind": "tags", "crf": {}}, {"kind": "notes"}]
    models = [about(input=given) for given in inputs]
    models += [about("litert", **answer) for answer in answers]
    assert {model["format"] for model in models} == set(PARTS)
    return models


@pytest.mark.parametrize("wrong, message", [([], "not be empty"), ([1, np.nan], "must be finite")])
@pytest.mark.parametrize("kind", ["arrays", "sequences", "columns"])
def test_arrays_that_a_run_refuses_are_refused(kind: str, wrong: list, message: str) -> None:
    reader = {"arrays": ArrayReader, "sequences": SeriesReader, "columns": ColumnReader}[kind]
    about = {"name": "x", "dtype": "float32", "axes": 2, "height": 1, "columns": 1}
    array = np.array([wrong]) if kind == "columns" else np.array(wrong)
    with pytest.raises(ValueError, match=message):
        reader(about).tensors([array])


def defined(tree: ast.Module) -> list[str]:
    names = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [name.id for name in ast.walk(node.targets[0]) if isinstance(name, ast.Name)]
    return names


def test_every_program_has_everything_it_needs_and_no_name_twice() -> None:
    for model in all_models():
        source = predict_program(model)
        tree = ast.parse(source)
        names = defined(tree)
        assert len(names) == len(set(names)) and "seqzoo" not in source
        assert max(map(len, source.splitlines())) <= 100
        module: dict[str, Any] = {"__name__": "predict"}
        exec(compile(source, "predict.py", "exec"), module)
        # Every global name that a function looks up is there.
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and node.id.isupper():
                assert node.id in module, node.id
        for kind in ("part_type", "reader_type", "answers_type"):
            chosen, ours = getattr(module["Model"], kind), getattr(model_class(model), kind)
            assert getattr(chosen, "__name__", None) == getattr(ours, "__name__", None)


def test_the_command_line_prints_what_seqzoo_predict_does(capsys) -> None:
    alternatives = [("a\tb\nc", 0.01)]
    found = [
        {"label": "a\tb\nc", "value": "a\tb\nc", "probability": 0.01, "alternatives": alternatives}
    ]
    found.append({**found[0], "token_probabilities": [0.9]})
    found.append({"label": "1, 2", "value": [1.0, 2.0], "probability": None, "alternatives": []})
    model = SimpleNamespace(
        predict=lambda inputs: found,
        reader=SimpleNamespace(from_argument=lambda argument: argument),
    )
    command_line.main(model, ["x", "y", "z"])
    assert capsys.readouterr().out == "a b c\t0.0100\na b c\t0.9000\n1, 2\n"


def test_a_program_has_no_part_that_its_model_does_not_need() -> None:
    names = defined(ast.parse(predict_program(about())))
    expected = {"BaseModel", "OnnxPart", "WordReader", "TextReader", "Classes", "main", "Model"}
    assert expected < set(names)
    others = {"LiteRTPart", "SubwordReader", "Search", "CRFTags", "AudioReader", "Transcripts"}
    assert not others & set(names)
    generates = defined(ast.parse(predict_program(about(kind="texts"))))
    assert {"Search", "GeneratedTexts"} < set(generates)


def test_the_parts_import_only_the_standard_library_numpy_and_a_runtime() -> None:
    allowed = {"numpy", "onnxruntime", "ai_edge_litert", "seqzoo.tasks.export.predict"}
    shared = [
        pathlib.Path(importlib.import_module(name).__file__ or "") for name in SHARED.values()
    ]
    for path in [*FOLDER.glob("*.py"), *shared]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("seqzoo"):
                package = str(node.module).rpartition(".")[0]
                assert package in allowed or str(node.module) in SHARED.values(), path
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    assert alias.name in allowed or "." not in alias.name, path


def test_the_best_tags_are_those_of_all_sequences() -> None:
    random = np.random.default_rng(0)
    scores = random.normal(size=(4, 3))
    given = {
        "transitions": random.normal(size=(3, 3)),
        "start": random.normal(size=3),
        "end": random.normal(size=3),
    }
    given["transitions"][1, 2] = crf.FORBIDDEN

    def score(tags: tuple[int, ...]) -> float:
        total = given["start"][tags[0]] + given["end"][tags[-1]]
        total += sum(scores[t, tag] for t, tag in enumerate(tags))
        return total + sum(given["transitions"][a][b] for a, b in itertools.pairwise(tags))

    totals = {tags: score(tags) for tags in itertools.product(range(3), repeat=4)}
    best = max(totals, key=lambda tags: totals[tags])
    ids, marginals, logarithm = crf.best_tags(given, scores)
    assert tuple(ids) == best
    everything = math.log(sum(map(math.exp, totals.values())))
    assert logarithm == pytest.approx(totals[best] - everything)
    for step, tag in enumerate(best):
        through = sum(math.exp(total) for tags, total in totals.items() if tags[step] == tag)
        assert marginals[step] == pytest.approx(through / math.exp(everything))
    assert crf.best_tags(given, scores[:0]) == ([], [], 0.0)
    ranked = sorted(totals, key=lambda tags: -totals[tags])
    allowed = [tags for tags in ranked if totals[tags] > crf.FORBIDDEN / 2]
    assert 27 < len(allowed) < 81
    for count in (1, 5, 100):
        found = crf.n_best_tags(given, scores, count)
        assert [tuple(ids) for ids, _ in found] == allowed[:count]
        for ids, value in found:
            assert value == pytest.approx(totals[tuple(ids)])
    assert crf.n_best_tags(given, scores[:0], 3) == [([], 0.0)]


def test_transcripts_are_the_most_probable_over_all_alignments() -> None:
    logs = np.log(np.random.default_rng(1).dirichlet([1, 1, 1], 4))
    totals: dict[tuple[int, ...], float] = {}
    paths: dict[tuple[int, ...], tuple[float, tuple[int, ...]]] = {}
    for path in itertools.product(range(3), repeat=4):
        merged = tuple(symbol for symbol, _ in itertools.groupby(path) if symbol)
        probability = math.exp(sum(logs[t, symbol] for t, symbol in enumerate(path)))
        totals[merged] = totals.get(merged, 0.0) + probability
        paths[merged] = max(paths.get(merged, (0.0, ())), (probability, path))
    for text, (_, path) in paths.items():
        spans, stop = [], 0
        for symbol, steps in itertools.groupby(path):
            start, stop = stop, stop + len(list(steps))
            spans += [(start, stop)] if symbol else []
        assert transcripts.best_alignment(logs, text) == spans, text
    options = {"method": "beam", "beam_width": 50, "count": 3}
    result, spans = transcripts.transcripts(logs, [], options)
    assert spans == transcripts.best_alignment(logs, result[0][0])
    assert [text for text, _ in result] == sorted(totals, key=lambda text: -totals[text])[:3]
    for text, logarithm in result:
        assert math.exp(logarithm) == pytest.approx(totals[text])


def test_texts_are_split_as_documented() -> None:
    given = {"removed": "", "nfc": True, "lowercase": False, "maximum_length": 99}
    reader = words.WordReader({**TEXT, **given})
    assert reader.tokens("Don't 'go', a-b!") == ["Don't", "'", "go", "'", ",", "a", "-", "b", "!"]
    assert reader.ids("b x") == [3, 1]
    pieces = {"\u2581a": -1.0, "b": -1.0, "\u2581": -3.0, "ab": -1.5, "a": -2.0}
    given |= {"vocabulary": list(pieces), "scores": list(pieces.values())}
    assert subwords.SubwordReader(given).tokens("aab ab") == ["\u2581a", "ab", "\u2581a", "b"]


def test_lowercase_texts_with_nul_are_read_whole_as_in_training() -> None:
    template = ManyToOne("characters", lowercase=True, minimum_count=1)
    features = template.adapt(Examples(["abcde"] * 4, list("xyxy"))).features
    about = {"removed": "", "nfc": False, "lowercase": True, "maximum_length": 99}
    reader = texts.TextReader({**about, "vocabulary": features.vocabulary.tokens})
    ids, _ = features.transform(tf.constant(["AB\0cd\0"]))
    assert ids.shape[1] == 6 and reader.ids("AB\0cd\0") == ids.numpy()[0].tolist()


def test_samples_that_are_not_scaled_are_refused() -> None:
    reader = audio.AudioReader({"name": "waveforms", "axes": 1, "sample_rate": 8000})
    assert reader.tensors([np.array([1.5, -1.0])])["waveforms"].tolist() == [[1.5, -1.0]]
    with pytest.raises(ValueError, match="^an input must contain samples between -1 and 1, got 50"):
        reader.tensors([np.zeros(3), np.array([-50, 3], np.int16)])


def test_files_of_numbers_and_audio_are_read(tmp_path: pathlib.Path) -> None:
    samples = np.array([[100, 300], [-200, 0]], np.int16)
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((2, 2, 8000, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    np.save(tmp_path / "a.npy", samples)
    reader = audio.AudioReader({"sample_rate": 8000})
    read = reader.from_argument(str(tmp_path / "a.wav"))
    np.testing.assert_allclose(read, np.array([200, -100]) / 32768)
    arrays = numbers.ArrayReader({"name": "x", "dtype": "float32"})
    read = arrays.from_argument(str(tmp_path / "a.npy"))
    assert read.tolist() == samples.tolist()
    with pytest.raises(ValueError, match=r"reads .npy files, got 'a.wav'"):
        arrays.from_argument("a.wav")
    with pytest.raises(ValueError, match=r"reads .npy or .wav files, got 'a.mp3'"):
        reader.from_argument("a.mp3")
    with pytest.raises(ValueError, match="16-bit audio at 16000 Hz, but .* has 16 bits at 8000 Hz"):
        audio.AudioReader({"sample_rate": 16000}).from_argument(str(tmp_path / "a.wav"))
    (tmp_path / "text.wav").write_text("not audio")
    with pytest.raises(ValueError, match="does not start with RIFF"):
        reader.from_argument(str(tmp_path / "text.wav"))
    soundfile.write(tmp_path / "float.wav", np.zeros(9), 8000, "FLOAT")
    with pytest.raises(ValueError, match=r"is not a PCM WAV file .*; save it as 16-bit PCM, or"):
        reader.from_argument(str(tmp_path / "float.wav"))
    (tmp_path / "short.wav").write_bytes(b"RIFF")
    with pytest.raises(ValueError, match="short.wav is not a PCM WAV file .*it ends early"):
        reader.from_argument(str(tmp_path / "short.wav"))


@pytest.mark.parametrize(
    "array, message",
    [
        (np.full((2, 2), 0.5, np.float32), "whole numbers from 0 to 255, .* got float32 from 0.5"),
        (np.full((2, 2), 300), "whole numbers from 0 to 255, .* got int64 from 300 to 300"),
        (np.full((2, 2), -1), "whole numbers from 0 to 255"),
        (np.array([["a", "b"]]), "must consist of numbers, got <U1"),
        (np.zeros((2, 2, 1), np.uint8), r"the shape \(2, 2\), as in training, got \(2, 2, 1\)"),
        (np.zeros((2, 3), np.uint8), r"the shape \(2, 2\), as in training, got \(2, 3\)"),
    ],
)
def test_arrays_that_a_model_cannot_have_been_trained_on_are_refused(
    array: np.ndarray, message: str
) -> None:
    reader = ArrayReader({"name": "images", "dtype": "uint8", "shape": [2, 2]})
    with pytest.raises(ValueError, match=message):
        reader.tensors([array])
    same = np.array([[1, 2], [3, 255]])
    (tensor,) = reader.tensors([same.astype(np.float32)])["images"]
    assert tensor.dtype == np.uint8 and (tensor == same).all()


@pytest.mark.parametrize("width", [3, 10])
def test_images_read_by_columns_have_the_steps_of_the_run(width: int) -> None:
    images = list(np.random.default_rng(0).integers(0, 256, (2, 5, width)).astype(np.uint8))
    template = ManyToOne("columns", columns_per_step=2, maximum_length=3, minimum_count=1)
    task: Any = template.adapt(Examples(images, ["a", "b"]))
    values, lengths = task.features.transform(*task.features.raw(images, ["first", "second"]))
    read = ColumnReader(_input(task)).tensors(images)
    assert read["lengths"].tolist() == lengths.numpy().tolist()
    assert (read["values"] == values.numpy()).all()


@pytest.mark.parametrize("shape", [(5, 6, 3), (5, 6, 1), (4, 6)])
def test_images_read_by_columns_have_the_channels_of_those_in_training(shape: tuple) -> None:
    images = list(np.zeros((2, 5, 7), np.uint8))
    task: Any = ManyToOne("columns", minimum_count=1).adapt(Examples(images, ["a", "b"]))
    with pytest.raises(ValueError, match=r"the shape \(5, any\), as in training, got \("):
        ColumnReader(_input(task)).tensors([np.zeros(shape, np.uint8)])


def test_series_have_the_shape_of_those_in_training() -> None:
    series = SeriesReader({"name": "series", "axes": 2, "shape": [None, 3]})
    assert series.tensors([np.ones((5, 3))])["series"].shape == (1, 5, 3)
    for wrong in (np.ones((5, 2)), np.ones(5), np.ones((5, 3, 1)), np.ones(())):
        with pytest.raises(ValueError, match=r"the shape \(any, 3\), as in training, got"):
            series.tensors([wrong])
    single = SeriesReader({"name": "series", "axes": 2, "shape": [None, 1]})
    assert single.tensors([np.ones(5)])["series"].shape == (1, 5, 1)
    columns = ColumnReader({"height": 2, "columns": 1, "dtype": "float32"})
    with pytest.raises(ValueError, match="two or three axes"):
        columns.tensors([np.ones(5)])
